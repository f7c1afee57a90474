import http from 'node:http';
import https from 'node:https';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { HttpError, InfluxDB, type Transport } from '@influxdata/influxdb-client';
import { LIMITS, MillraceError } from '../../../core/index.ts';
import { networkError, post, type InfluxAnswer } from './post.ts';
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

/** A write without an answer for this long counts as failed, in milliseconds. */
const WRITE_TIMEOUT_MS = 30_000;
/** Rows of one piece of a query's answer. */
const CHUNK_ROWS = 5_000;

const compress = promisify(gzip);

/**
 * HTTP to InfluxDB: the client library's transport for queries, one that copies nothing for writes. See
 * docs/decisions/0003-influx-transport.md.
 */
export class InfluxTransport {
  readonly #connection: InfluxConnection;
  readonly #writeAgent: http.Agent;
  readonly #readAgent: http.Agent;
  readonly #writeUrl: URL;
  readonly #reads: Transport;
  readonly #gzip: boolean;

  /**
   * `gzip`: whether bodies travel compressed, which costs more CPU than all the rest of a write. By default over https
   * alone: where the token may travel in the clear the server is near.
   */
  constructor(connection: InfluxConnection, gzip = connection.url.startsWith('https:')) {
    const { url, token, org, bucket } = connection;
    this.#connection = connection;
    this.#gzip = gzip;
    this.#writeAgent = agentFor(url, LIMITS.influxMaxConnections);
    // One more than queries may run, so that the health probe never waits behind them.
    this.#readAgent = agentFor(url, LIMITS.maxOpenReads + 1);
    const parameters = new URLSearchParams({ org, bucket, precision: 'ns' });
    this.#writeUrl = new URL(`${url.replace(/\/+$/, '')}/api/v2/write?${parameters.toString()}`);
    // The library's own time-out reports and leaves the socket open: 0 turns it off.
    const transportOptions = { agent: this.#readAgent };
    this.#reads = new InfluxDB({ url, token, timeout: 0, transportOptions }).transport;
  }

  /**
   * Posts lines of points; their bytes may be used again when it has resolved with 204, not after any other end.
   * Resolves with any verdict on the points (204, 400, 413, 422); rejects with InfluxUnavailable for all that says
   * nothing about them.
   */
  async write(lines: Uint8Array): Promise<WriteReply> {
    // The fastest level: the text is so repetitive that a higher one costs CPU and saves little.
    const body = this.#gzip ? await compress(lines, { level: constants.Z_BEST_SPEED }) : lines;
    return verdict(
      await this.#post(body, this.#gzip ? { 'content-encoding': 'gzip' } : {}, WRITE_TIMEOUT_MS),
    );
  }

  /**
   * Asks whether a write would be taken: InfluxDB checks token, organisation and bucket of a body without points
   * too. Rejects with InfluxUnavailable where it says no, or nothing within `timeoutMs`.
   */
  async probeWrite(timeoutMs: number): Promise<void> {
    const answer = await this.#post(new Uint8Array(0), {}, timeoutMs);
    if (answer.status !== 204) throw refusal(answer);
  }

  #post(body: Uint8Array, headers: http.OutgoingHttpHeaders, timeoutMs: number): Promise<InfluxAnswer> {
    const always = {
      authorization: `Token ${this.#connection.token}`,
      'content-type': 'text/plain; charset=utf-8',
      accept: 'application/json',
    };
    return post(this.#writeUrl, this.#writeAgent, { ...always, ...headers }, body, timeoutMs);
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
        const said = jsonMessage(error.body ?? '') ?? error.message;
        throw new QueryRefused(`InfluxDB refused a query: ${said}`, { cause: error });
      }
      if (error instanceof HttpError) throw refusal(answerOf(error));
      throw networkError(error, null);
    }
  }

  close(): void {
    this.#writeAgent.destroy();
    this.#readAgent.destroy();
  }
}

/** The error of a query that its caller's signal ended. */
export function queryEnded(signal: AbortSignal, cause?: unknown): MillraceError {
  const { reason } = signal as { reason: unknown };
  if (reason instanceof MillraceError) return reason;
  return new MillraceError('query_timeout', 'the query took too long or was given up', { cause });
}

function agentFor(url: string, maxSockets: number): http.Agent {
  const options = { keepAlive: true, maxSockets };
  return url.startsWith('https:') ? new https.Agent(options) : new http.Agent(options);
}

/** Sorts the answer to a write into a verdict on the points, returned, or anything else, thrown. */
function verdict(answer: InfluxAnswer): WriteReply {
  const { status, text } = answer;
  if (status === 204) return { status, message: '' };
  const message = jsonMessage(text);
  if (status === 413) return { status, message: message ?? 'the point is larger than the server takes' };
  // Only InfluxDB's own words condemn points: a proxy's 400, or one for a damaged body, says nothing of them.
  const aboutPoints = status === 400 ? /unable to parse|partial write/ : /partial write/;
  if ((status === 400 || status === 422) && message !== null && aboutPoints.test(message)) {
    return { status: message.includes('partial write') ? 422 : 400, message };
  }
  throw refusal(answer);
}

/** The `message` of an error in InfluxDB's form, else null. */
function jsonMessage(text: string): string | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof json !== 'object' || json === null || !('message' in json)) return null;
  return typeof json.message === 'string' ? json.message : null;
}

function answerOf({ statusCode, headers, body }: HttpError): InfluxAnswer {
  const retryAfter = headers?.['retry-after'];
  return {
    status: statusCode,
    retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
    text: body ?? '',
  };
}

const WHAT_TO_DO: Record<number, string> = {
  401: 'the token is refused: check INFLUX_TOKEN',
  403: 'INFLUX_TOKEN is switched off or may not do this: it needs read and write permission on the bucket',
  404: 'the bucket or organisation does not exist: check INFLUX_BUCKET and INFLUX_ORG',
};

function refusal({ status, retryAfter, text }: InfluxAnswer): InfluxUnavailable {
  const said = (jsonMessage(text) ?? text).slice(0, 300);
  const help = WHAT_TO_DO[status];
  return new InfluxUnavailable(
    `InfluxDB answered ${status}${help === undefined ? '' : `, ${help}`}${said === '' ? '' : ` (${said})`}`,
    { status, retryAfterMs: parseRetryAfterMs(retryAfter, Date.now()) },
  );
}
