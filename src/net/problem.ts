import { MillraceError, messageOf } from '../core/index.ts';
import type { HttpAnswer } from './edge.ts';

/** Anything thrown, as the error that leaves the process: what is not a MillraceError is a defect (`internal`). */
export function asMillraceError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return new MillraceError('internal', 'an unexpected error; the log has the details', { cause: error });
}

/**
 * An error as RFC 9457 `application/problem+json`, with our stable `code`, for frames the `path`, and
 * `members` of its own where the error has more to tell.
 */
export function problem(
  error: MillraceError,
  headers: Record<string, string> = {},
  members: object = {},
): HttpAnswer {
  const { status, help, retry } = error.row;
  return {
    status,
    headers: {
      'Content-Type': 'application/problem+json',
      'Cache-Control': 'no-store',
      ...(retry && status === 503 ? { 'Retry-After': '1' } : {}),
      ...headers,
    },
    body: JSON.stringify({
      type: `urn:millrace:error:${error.code}`,
      title: help,
      status,
      code: error.code,
      detail: messageOf(error),
      ...(error.path === undefined ? {} : { path: error.path }),
      ...members,
    }),
  };
}
