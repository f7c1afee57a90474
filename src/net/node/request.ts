import type { IncomingMessage } from 'node:http';
import { MillraceError } from '../../core/index.ts';
import { readHeaders } from '../headers.ts';

/** What a request says before its body. */
export interface RequestHead {
  method: string;
  path: string;
  /** Without the question mark, still encoded. */
  query: string;
  headers: Map<string, string>;
  /** Why it is refused whatever it asks for; null for a sound one. */
  fault: MillraceError | null;
}

const NOT_ASCII = /[\u0080-\u00ff]/;

/** The text of bytes that Node gives as a character each. */
function textOf(characters: string): string {
  return NOT_ASCII.test(characters) ? Buffer.from(characters, 'latin1').toString('utf8') : characters;
}

/** A header's value as Node writes it, a byte for each character: what has others becomes UTF-8. */
export function charactersOf(text: string): string {
  return /^[\0-\u00ff]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

export function readHead(request: IncomingMessage): RequestHead {
  const { headers, repeated } = readHeaders(pairs(request.rawHeaders));
  const target = textOf(request.url ?? '/');
  // A proxy's form names the host again (RFC 9112, 3.2.2).
  const own = /^https?:\/\/[^/?#]*/i.exec(target)?.[0].length ?? 0;
  const mark = target.indexOf('?', own);
  return {
    method: request.method ?? 'GET',
    path: target.slice(own, mark < 0 ? undefined : mark) || '/',
    query: mark < 0 ? '' : target.slice(mark + 1),
    headers,
    fault: faultOf(request, headers, repeated),
  };
}

function faultOf(
  { httpVersion }: IncomingMessage,
  headers: ReadonlyMap<string, string>,
  repeated: string | null,
): MillraceError | null {
  // Which of two is meant nobody can tell, and a proxy may have read the other one.
  if (repeated !== null) {
    return new MillraceError('header_repeated', `the header ${repeated} came more than once`);
  }
  if (httpVersion !== '1.0' && !headers.has('host')) {
    return new MillraceError('request_malformed', `a request of HTTP/${httpVersion} names its host`);
  }
  return null;
}

/** Names and values that follow each other; in a value a character stands for a byte, as on the other edge. */
function* pairs(raw: readonly string[]): Generator<readonly [string, string]> {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    yield [(raw[i] ?? '').toLowerCase(), raw[i + 1] ?? ''];
  }
}

/** Whether a request is a handshake that a WebSocket can come of (RFC 6455, 4.2.1). */
export function isHandshake({ method, headers }: IncomingMessage): boolean {
  const { 'sec-websocket-key': key = '', 'sec-websocket-version': version = '' } = headers;
  return (
    method === 'GET' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    /^[+/0-9A-Za-z]{22}==$/.test(key) &&
    (version === '13' || version === '8')
  );
}

/**
 * The head of a request as it came, but for its wish to upgrade. Node lets go of a connection for such a wish, before
 * version 24.9 for any protocol; what has not to be upgraded is given back to it in this form.
 */
export function withoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    if (!/^upgrade$/i.test(rawHeaders[i] ?? '')) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
