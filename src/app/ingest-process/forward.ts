import { request as httpRequest, type IncomingMessage } from 'node:http';
import { LIMITS, MillraceError, messageOf } from '../../core/index.ts';
import type { HttpAnswer, HttpExchange } from '../../net/index.ts';

/** Headers that belong to one connection and not to the message (RFC 9110, 7.6.1), or that whoever passes it on writes anew. */
const HOP_BY_HOP = new Set([
  'connection',
  'content-length',
  'date',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'uwebsockets',
]);
/** A shorter body of known length is passed on whole. */
const WHOLE_BODY_BYTES = 64 * 1024;

/** Passes requests on to the server's own listener on loopback, as they came, and its answers back. */
export function forwardTo(port: number): (exchange: HttpExchange) => Promise<HttpAnswer> {
  return async (exchange) => {
    const { method, path, query, signal } = exchange;
    const body = await exchange.body(LIMITS.maxJsonBodyBytes);
    const answer = await send(
      {
        port,
        method,
        path: onTheWire(query === '' ? path : `${path}?${query}`),
        headers: passedOn(exchange.headers),
        signal,
      },
      body,
    );
    return answerOf(answer, method === 'HEAD', signal);
  };
}

/** A request's target with each of its bytes as a character: what is not ASCII goes on as it came. */
function onTheWire(target: string): string {
  return Buffer.from(target).toString('latin1');
}

/** The headers of a message that go with it to the next one. */
export function passedOn(headers: Iterable<readonly [string, string]>): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase())));
}

/** Names and values that follow each other, as Node gives them. */
function* pairs(raw: readonly string[]): Generator<readonly [string, string]> {
  for (let i = 0; i + 1 < raw.length; i += 2) yield [raw[i] ?? '', raw[i + 1] ?? ''];
}

interface ForwardTarget {
  port: number;
  method: string;
  path: string;
  headers: Record<string, string>;
  signal: AbortSignal;
}

function send(target: ForwardTarget, body: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // A connection each: one that idles may be closed by the server just when it is used again.
    const request = httpRequest({ host: '127.0.0.1', agent: false, setHost: false, ...target }, resolve);
    request.on('error', (cause) => {
      reject(new MillraceError('draining', `the server does not answer: ${messageOf(cause)}`, { cause }));
    });
    // What is no answer to Node (that to a CONNECT) ends the request without a word.
    request.on('close', () => reject(new MillraceError('draining', 'the server gives no answer')));
    if (body.length > 0) request.setHeader('content-length', body.length);
    request.end(body);
  });
}

async function answerOf(
  answer: IncomingMessage,
  headOnly: boolean,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const status = answer.statusCode ?? 502;
  const headers = passedOn(pairs(answer.rawHeaders));
  const said = answer.headers['content-length'];
  const length = said === undefined ? null : Number(said);
  if (status === 304 || length === 0 || (headOnly && length !== null)) {
    answer.resume();
    return { status, headers, body: null, ...(headOnly && length !== null ? { length } : {}) };
  }
  const body = bodyOf(answer, signal);
  if (length === null || length > WHOLE_BODY_BYTES) return { status, headers, body };
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return { status, headers, body: Buffer.concat(chunks) };
}

/** A body as it comes; it ends with the client that it was for. */
async function* bodyOf(answer: IncomingMessage, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* answer as AsyncIterable<Buffer>;
  } catch (cause) {
    if (!signal.aborted)
      throw new MillraceError('draining', `the server left: ${messageOf(cause)}`, { cause });
  }
}
