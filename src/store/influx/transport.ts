import http from 'node:http';
import https from 'node:https';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { HttpError, InfluxDB, type Transport } from '@influxdata/influxdb-client';
import { LIMITS, MillraceError, messageOf } from '../../core/index.ts';
import { InfluxUnavailable, QueryRefused, parseRetryAfterMs } from './unavailable.ts';

export interface InfluxConnection {
  /** http(s)://host:port, with a path where a proxy needs one. */
  url: string;
  token: string;
  org: string;
  bucket: string;
}

/** What the server said to a body of points. `message` is its own text, '' where all was written. */
export interface WriteReply {
  status: number;
  message: string;
}

/** Connections that carry writes: more gain nothing, one leaves the server idle between bodies. */
export const WRITE_CONNECTIONS = 2;
/** A write without an answer for this long counts as failed, in milliseconds. */
const WRITE_TIMEOUT_MS = 30_000;
/** Rows of one piece of a query's answer. */
const CHUNK_ROWS = 5_000;

const compress = promisify(gzip);

/**
 * The client library's transport, with what it lacks: time-outs that also close the socket, its retries left out, and
 * Retry-After as it was meant. See docs/decisions/0003-influx-transport.md.
 */
export class InfluxTransport {
  readonly #connection: InfluxConnection;
  readonly #agents: (http.Agent | https.Agent)[] = [];
  readonly #writes: Transport;
  readonly #reads: Transport;
  readonly #gzip: boolean;

  /**
   * `gzip`: whether bodies travel compressed, which costs more CPU than all the rest of a write. By default over https
   * alone: where the token may travel in the clear the server is near.
   */
  constructor(connection: InfluxConnection, gzip = connection.url.startsWith('https:')) {
    this.#gzip = gzip;
    this.#connection = connection;
    this.#writes = this.#client(WRITE_CONNECTIONS);
    // One more than queries may run, so that the health probe never waits behind them.
    this.#reads = this.#client(LIMITS.maxQueries + 1);
  }

  #client(maxSockets: number): Transport {
    const { url, token } = this.#connection;
    const options = { keepAlive: true, maxSockets };
    const agent = url.startsWith('https:') ? new https.Agent(options) : new http.Agent(options);
    this.#agents.push(agent);
    // The library's own time-out reports and leaves the socket open: 0 turns it off.
    return new InfluxDB({ url, token, timeout: 0, transportOptions: { agent } }).transport;
  }

  /**
   * Posts lines of points. Resolves with any verdict on the points (204, 400, 413, 422); rejects with
   * InfluxUnavailable for all that says nothing about them.
   */
  async write(lines: Uint8Array): Promise<WriteReply> {
    // The fastest level: the text is so repetitive that a higher one costs CPU and saves little.
    const body = this.#gzip ? await compress(lines, { level: constants.Z_BEST_SPEED }) : lines;
    const status = await this.#post(body, WRITE_TIMEOUT_MS);
    if (typeof status !== 'number') return verdict(status);
    if (status !== 204) throw new InfluxUnavailable(`InfluxDB answered a write with ${status}`, { status });
    return { status, message: '' };
  }

  /**
   * Asks whether a write would be taken: InfluxDB checks token, organisation and bucket of a body without points
   * too. Rejects with InfluxUnavailable where it says no, or nothing within `timeoutMs`.
   */
  async probeWrite(timeoutMs: number): Promise<void> {
    const status = await this.#post(new Uint8Array(0), timeoutMs);
    if (typeof status !== 'number') throw refusal(status);
    if (status !== 204) throw new InfluxUnavailable(`InfluxDB answered a write with ${status}`, { status });
  }

  #post(body: Uint8Array, timeoutMs: number): Promise<number | HttpError> {
    const { org, bucket } = this.#connection;
    const path = `/api/v2/write?org=${encodeURIComponent(org)}&bucket=${encodeURIComponent(bucket)}&precision=ns`;
    const signal = AbortSignal.timeout(timeoutMs);
    return new Promise((resolve, reject) => {
      let status = 0;
      const headers = {
        'content-type': 'text/plain; charset=utf-8',
        ...(this.#gzip && body.length > 0 ? { 'content-encoding': 'gzip' } : {}),
      };
      this.#writes.send(
        path,
        // Typed as text, but it only goes through Buffer.from(), which copies bytes as they are.
        body as unknown as string,
        { method: 'POST', headers, signal },
        {
          responseStarted: (_headers, statusCode) => {
            status = statusCode ?? 0;
          },
          next: () => {},
          complete: () => resolve(status),
          error: (error) => {
            if (error instanceof HttpError) resolve(error);
            else reject(networkError(error, signal.aborted ? timeoutMs : null));
          },
        },
      );
    });
  }

  /**
   * Runs InfluxQL statements and gives the answer's bytes as they come: one JSON object per line. Throws
   * InfluxUnavailable, or `query_timeout` when `signal` ended it.
   */
  async *query(influxQl: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { bucket } = this.#connection;
    // A bucket is a 1.x database by its name; "db/rp" is one database with one of its retention policies.
    const slash = bucket.indexOf('/');
    const [db, rp] = slash < 0 ? [bucket, ''] : [bucket.slice(0, slash), bucket.slice(slash + 1)];
    const parameters = new URLSearchParams({
      db,
      epoch: 'ns',
      chunked: 'true',
      chunk_size: String(CHUNK_ROWS),
    });
    if (rp !== '') parameters.set('rp', rp);
    try {
      yield* this.#reads.iterate(`/query?${parameters.toString()}`, `q=${encodeURIComponent(influxQl)}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        // A signal of its own, as the transport never takes its listener off again.
        signal: AbortSignal.any([signal]),
      });
    } catch (error) {
      if (signal.aborted) throw queryEnded(signal, error);
      if (error instanceof HttpError && error.statusCode === 400) {
        throw new QueryRefused(`InfluxDB refused a query: ${jsonBody(error) ?? error.message}`, {
          cause: error,
        });
      }
      if (error instanceof HttpError) throw refusal(error);
      throw networkError(error, null);
    }
  }

  close(): void {
    for (const agent of this.#agents) agent.destroy();
  }
}

/** The error of a query that its caller's signal ended. */
export function queryEnded(signal: AbortSignal, cause?: unknown): MillraceError {
  const { reason } = signal as { reason: unknown };
  if (reason instanceof MillraceError) return reason;
  return new MillraceError('query_timeout', 'the query took too long or was given up', { cause });
}

/** Sorts an HTTP error of a write into a verdict on the points, returned, or anything else, thrown. */
function verdict(error: HttpError): WriteReply {
  const status = error.statusCode;
  if (status === 413) return { status, message: messageOf(error) };
  const body = jsonBody(error);
  // Only InfluxDB's own words condemn points: a proxy's 400, or one for a damaged body, says nothing of them.
  const aboutPoints = status === 400 ? /unable to parse|partial write/ : /partial write/;
  if ((status === 400 || status === 422) && body !== null && aboutPoints.test(body)) {
    return { status: body.includes('partial write') ? 422 : 400, message: body };
  }
  throw refusal(error);
}

function jsonBody(error: HttpError): string | null {
  const { json } = error as { json: unknown };
  if (typeof json !== 'object' || json === null || !('message' in json)) return null;
  return typeof json.message === 'string' ? json.message : null;
}

const WHAT_TO_DO: Record<number, string> = {
  401: 'the token is refused: check INFLUX_TOKEN',
  403: 'the token may not do this: give it read and write permission on the bucket',
  404: 'the bucket or organisation does not exist: check INFLUX_BUCKET and INFLUX_ORG',
};

function refusal(error: HttpError): InfluxUnavailable {
  const status = error.statusCode;
  const header = error.headers?.['retry-after'];
  const said = (jsonBody(error) ?? error.body ?? '').slice(0, 300);
  const help = WHAT_TO_DO[status];
  return new InfluxUnavailable(
    `InfluxDB answered ${status}${help === undefined ? '' : `, ${help}`}${said === '' ? '' : ` (${said})`}`,
    {
      status,
      retryAfterMs: parseRetryAfterMs(typeof header === 'string' ? header : undefined, Date.now()),
      cause: error,
    },
  );
}

function networkError(error: unknown, timedOutMs: number | null): InfluxUnavailable {
  if (timedOutMs !== null)
    return new InfluxUnavailable(`InfluxDB did not answer within ${timedOutMs / 1000} s`);
  return new InfluxUnavailable(`InfluxDB cannot be reached: ${describe(error)}`, { cause: error });
}

/** Node's connection errors over several addresses have an empty message. */
function describe(error: unknown): string {
  const message = messageOf(error);
  if (message !== '') return message;
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
