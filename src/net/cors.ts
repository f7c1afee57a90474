import { MillraceError } from '../core/index.ts';
import type { HttpAnswer, HttpExchange } from './edge.ts';

/** What a page of another origin may read beside the headers that every page may. */
const EXPOSED = 'Millrace-Cursor, Millrace-Tail, ETag, Retry-After';
/** What it may send beside them. */
const ALLOWED =
  'Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Device';
/** How long a browser may remember a preflight's answer, in seconds: a change of the setting is noticed after it. */
const MAX_AGE_S = 600;

/** Whether a request asks if another may be sent (Fetch standard, "CORS-preflight request"). */
export function isPreflight(exchange: HttpExchange): boolean {
  return exchange.method === 'OPTIONS' && exchange.header('access-control-request-method') !== undefined;
}

/**
 * The answer to a preflight for a path that takes `methods`. Throws `origin_forbidden` unless the page's origin is one
 * that the operator allowed.
 */
export function preflight(exchange: HttpExchange, methods: string, origins: readonly string[]): HttpAnswer {
  const origin = exchange.header('origin') ?? '';
  if (!origins.includes(origin)) {
    throw new MillraceError(
      'origin_forbidden',
      `pages of ${origin.slice(0, 100)} may not read here: add that origin to MILLRACE_ORIGINS`,
    );
  }
  return {
    status: 204,
    headers: {
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Allow-Headers': ALLOWED,
      'Access-Control-Max-Age': String(MAX_AGE_S),
    },
    body: null,
  };
}

/**
 * Lets pages of allowed origins read an answer, errors included. Where any origin is allowed the answer depends on the
 * origin, which caches have to know.
 */
export function withCors(exchange: HttpExchange, answer: HttpAnswer, origins: readonly string[]): HttpAnswer {
  if (origins.length === 0) return answer;
  const vary = answer.headers['Vary'];
  const headers = { ...answer.headers, Vary: vary === undefined ? 'Origin' : `${vary}, Origin` };
  const origin = exchange.header('origin');
  if (origin === undefined || !origins.includes(origin)) return { ...answer, headers };
  return {
    ...answer,
    headers: {
      ...headers,
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Expose-Headers': EXPOSED,
    },
  };
}
