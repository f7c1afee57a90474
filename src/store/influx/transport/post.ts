import http from 'node:http';
import https from 'node:https';
import { messageOf, systemCodeOf } from '../../../core/index.ts';
import { InfluxUnavailable } from './unavailable.ts';

/** What a server answered. */
export interface InfluxAnswer {
  status: number;
  retryAfter: string | undefined;
  text: string;
}

/** Bytes of an answer at most: a 400 repeats every line that it refuses, escaped as JSON. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/**
 * Posts bytes without copying them and reads the answer whole; once more where a connection kept from before turns out
 * to be closed. Rejects with InfluxUnavailable where there is none:
 * no connection, one that broke, or nothing within `timeoutMs`; the socket is then destroyed, so that what
 * was not yet sent never will be.
 */
export function post(
  url: URL,
  agent: http.Agent,
  headers: http.OutgoingHttpHeaders,
  body: Uint8Array,
  timeoutMs: number,
): Promise<InfluxAnswer> {
  const signal = AbortSignal.timeout(timeoutMs);
  const { request } = url.protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(networkError(error, signal.aborted ? timeoutMs : null));
    const options = { method: 'POST', agent, headers: { ...headers, 'content-length': body.length }, signal };
    const sent = request(url, options, (answer) => {
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      answer.on('data', (chunk: Uint8Array) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) answer.destroy(new Error('its answer is too long'));
        else chunks.push(chunk);
      });
      answer.on('error', fail);
      answer.on('end', () => {
        const retryAfter = answer.headers['retry-after'];
        resolve({ status: answer.statusCode ?? 0, retryAfter, text: Buffer.concat(chunks).toString() });
      });
    });
    sent.on('error', (error) => {
      // An idle connection that the server was just closing says nothing of the server. Points are idempotent.
      const stale = sent.reusedSocket && !signal.aborted && systemCodeOf(error) === 'ECONNRESET';
      if (stale) resolve(post(url, agent, headers, body, timeoutMs));
      else fail(error);
    });
    sent.end(body);
  });
}

/** The error of a request without an answer. `timedOutMs`: how long it was waited for, where that ended it. */
export function networkError(error: unknown, timedOutMs: number | null): InfluxUnavailable {
  if (timedOutMs !== null)
    return new InfluxUnavailable(`InfluxDB did not answer within ${timedOutMs / 1000} s`);
  return new InfluxUnavailable(`InfluxDB cannot be reached: ${describe(error)}`, { cause: error });
}

/** Node's connection errors over several addresses have an empty message. */
function describe(error: unknown): string {
  return messageOf(error) || (systemCodeOf(error) ?? 'unknown error');
}
