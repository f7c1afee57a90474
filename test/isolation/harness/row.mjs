/** One row of the table, from an empty data folder to the verdict. */
import { setTimeout as sleep } from 'node:timers/promises';
import { start, startOffender } from './children.mjs';
import { boundsOf, missed, Seen, TARGETS } from './judge.mjs';
import { prepare, stored } from './prepare.mjs';
import { startServer } from './server.mjs';

const WARM_UP_MS = 1_500;
const ALONE_MS = 4_000;
/** It has to stay normal for so long … */
const CLEAN_MS = 1_000;
/** … and is waited for so long. */
const AFTER_MS = 30_000;
const HURRY_MS = 120_000;
const KINDS = ['ack', 'query', 'healthz'];

/**
 * Runs offenders beside the observer: `rows` are entries of ROWS, one or all of them. Gives figures, what was missed
 * and the offenders' own counts.
 */
export async function measure(rows, { dir, processes, edge, seconds, slow }) {
  const server = await startServer({ dir, processes, edge });
  const seen = new Seen();
  let observer = null;
  const offenders = [];
  try {
    await prepare(server, Math.max(...rows.map((row) => row.rows ?? 0)));
    let finished = null;
    observer = await start('observer.mjs', { url: server.url }, (message) => {
      if (message.finished !== undefined) finished = message.finished;
      else seen.hear(message);
    });
    await sleep(WARM_UP_MS);
    const aloneFromMs = Date.now();
    await sleep(ALONE_MS);
    for (const row of rows) offenders.push(await startOffender(row, { port: server.port, slow }));
    const aloneBytes = server.bytes();
    server.forgetPeak();
    const besideFromMs = Date.now();
    const figures = (fromMs, toMs) =>
      Object.fromEntries(KINDS.map((kind) => [kind, seen.figures(kind, fromMs, toMs)]));
    const alone = figures(aloneFromMs, besideFromMs - 200);
    for (const offender of offenders) offender.go();

    const minMs = 1_000 * Math.max(seconds, ...(slow ? [] : rows.map((row) => row.minSeconds ?? 0)));
    const whole = !slow && rows.every(({ maxSeconds }) => maxSeconds !== undefined);
    await Promise.race([
      serverEnd(server),
      whole
        ? Promise.race([Promise.all(offenders.map(({ done }) => done)), sleep(1_000 * rows[0].maxSeconds)])
        : sleep(minMs),
    ]);
    const besideToMs = Date.now();
    if (!slow && rows.length === 1 && rows[0].complete === true) {
      offenders[0].hurry();
      await Promise.race([serverEnd(server), offenders[0].done, sleep(HURRY_MS)]);
    }
    const beside = figures(besideFromMs, besideToMs);
    const counts = await Promise.all(offenders.splice(0).map((offender) => offender.stop()));
    const goneMs = Date.now();
    const peak = server.peakBytes();
    const normalMs = await normalAfter(server, seen, boundsOf(alone), goneMs);
    const { lost, honest } = await honestFrames(server, observer, () => finished);
    const complaints = rows.flatMap((row, i) => (slow ? [] : complaintsOf(row, counts[i] ?? {})));
    const bytes = { alone: aloneBytes, peak: Math.max(peak, server.peakBytes()), after: server.bytes() };
    const result = { alone, beside, bytes, normalMs, ended: server.ended(), lost, honest, counts };
    return { ...result, missed: missed({ ...result, peakBytes: bytes.peak, complaints }) };
  } finally {
    for (const offender of offenders) await offender.stop();
    if (observer !== null && observer.child.exitCode === null) {
      observer.child.kill('SIGKILL');
      await observer.ended;
    }
    await server.stop();
  }
}

async function serverEnd(server) {
  while (server.ended() === null) await sleep(100, null, { ref: false });
}

/** Milliseconds until the last thing that was not normal; null where it does not become so. */
async function normalAfter(server, seen, bounds, goneMs) {
  for (;;) {
    await sleep(100);
    if (server.ended() !== null) return null;
    const lastMs = seen.lastBadMs(bounds, goneMs) ?? goneMs;
    const nowMs = Date.now();
    if (nowMs - lastMs >= CLEAN_MS && nowMs - goneMs >= TARGETS.normalWithinMs)
      return Math.max(0, lastMs - goneMs);
    if (nowMs - goneMs > AFTER_MS) return null;
  }
}

/** Compares what the honest device was told with what is in the store. */
async function honestFrames(server, observer, finished) {
  if (server.ended() !== null) return { lost: null, honest: null };
  observer.child.send('finish');
  await observer.ended;
  const honest = finished();
  try {
    await stored(server);
    const { rows } = await server.json(
      '/v1/query?measurement=environment&device=honest&fn=count&field=ok&from=-1d',
    );
    return { lost: (honest?.acked ?? 0) - Number(rows[0]?.[1] ?? 0), honest };
  } catch {
    return { lost: null, honest };
  }
}

/** What an offender that has a right to its answer did not get. */
function complaintsOf(row, counts) {
  if (row.complete !== true) return [];
  const rows = counts.rows ?? 0;
  if (counts.answered === 1 && rows >= row.rows) return [];
  const what = counts.cut === undefined ? 'did not get all' : 'was cut';
  return [`the reader ${what} after ${((counts.bytes ?? 0) / 1e6).toFixed(1)} MB`];
}
