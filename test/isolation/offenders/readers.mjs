/** Readers of a query's answer: as fast as it comes, again and again, or at a steady pace. */
import { Agent, get } from 'node:http';
import { tally } from '../harness/flood.mjs';

const TICK_MS = 50;
const AGAIN_AFTER_REFUSAL_MS = 250;

/**
 * `format` and `limit` of the query, `bytesPerS` of each reader (without it, as fast as goes). With `once`, each reads
 * one answer and is done; after the context's `hurry`, as fast as goes, so that all of it is seen.
 */
export function run(context, { count, format, limit, bytesPerS, once = false }) {
  const { port, counts, share, slow } = context;
  const agent = new Agent({ keepAlive: true });
  const state = { stopped: false, hurry: false, requests: new Set() };
  // What has no pace becomes smaller instead.
  const rows = context.limit ?? (slow && bytesPerS === undefined ? Math.ceil(limit * share) : limit);
  const path = `/v1/query?measurement=environment&from=-1d&format=${format}${rows === undefined ? '' : `&limit=${rows}`}`;
  const pace = bytesPerS === undefined ? null : (bytesPerS * TICK_MS * share) / 1_000;

  const read = () =>
    new Promise((resolve) => {
      const request = get({ port, host: '127.0.0.1', path, agent }, (response) => {
        if (response.statusCode !== 200) tally(counts, `status ${response.statusCode}`);
        let budget = pace ?? Infinity;
        let lines = -1;
        const timer = setInterval(() => {
          budget = state.hurry ? Infinity : Math.min(budget, 0) + (pace ?? 0);
          if (budget > 0) response.resume();
        }, TICK_MS);
        response.on('data', (bytes) => {
          tally(counts, 'bytes', bytes.length);
          if (once) for (let at = -1; (at = bytes.indexOf(10, at + 1)) >= 0;) lines += 1;
          budget -= bytes.length;
          if (pace !== null && budget <= 0) response.pause();
        });
        response.on('close', () => {
          clearInterval(timer);
          const whole = response.complete && response.statusCode === 200;
          tally(counts, whole ? 'answered' : 'cut');
          if (once && whole) tally(counts, 'rows', lines);
          resolve(response.statusCode);
        });
        response.on('error', () => {});
      });
      request.on('error', (error) => {
        tally(counts, error.code ?? 'error');
        resolve(null);
      });
      request.on('close', () => state.requests.delete(request));
      state.requests.add(request);
    });

  const reader = async () => {
    do {
      const status = await read();
      if (state.stopped || once || context.limit !== undefined) return;
      if (status !== 200) await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_REFUSAL_MS));
    } while (!state.stopped);
  };
  const done = Promise.all(Array.from({ length: count }, () => reader()));
  return {
    done,
    hurry: () => {
      state.hurry = true;
    },
    stop: () => {
      state.stopped = true;
      for (const request of state.requests) request.destroy();
      agent.destroy();
    },
  };
}
