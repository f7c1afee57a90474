import { createHash } from 'node:crypto';
import type { HttpAnswer, HttpExchange } from '../net/index.ts';

/** A strong entity tag of a body: equal tags mean equal bytes. */
export function entityTag(body: string | Uint8Array): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
}

function tagOf(body: HttpAnswer['body']): string | null {
  return typeof body === 'string' || body instanceof Uint8Array ? entityTag(body) : null;
}

/**
 * Adds the ETag to a whole answer of a read, and turns it into 304 when the reader has those bytes already
 * (RFC 9110, 13.1.2); rows bring one of their own. Streams, errors and `no-store` answers pass unchanged.
 */
export function conditional(exchange: HttpExchange, answer: HttpAnswer): HttpAnswer {
  const { body, headers } = answer;
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD') return answer;
  if (answer.status !== 200 || headers['Cache-Control'] === 'no-store') return answer;
  const tagged: Record<string, string> = { 'Cache-Control': 'private, max-age=1', ...headers };
  const tag = headers['ETag'] ?? tagOf(body);
  if (tag === null) return { ...answer, headers: tagged };
  tagged['ETag'] = tag;
  if (!matches(exchange.header('if-none-match'), tag)) return { ...answer, headers: tagged };
  const { 'Content-Type': _, 'Content-Encoding': __, ...kept } = tagged;
  return { status: 304, headers: kept, body: null };
}

/** If-None-Match compares weakly: a cache in between may have marked our tag with W/. */
function matches(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((each) => each.trim().replace(/^W\//, '') === tag);
}
