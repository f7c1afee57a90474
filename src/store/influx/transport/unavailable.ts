import { MillraceError } from '../../../core/index.ts';

/** InfluxDB cannot do it now and may later. */
export class InfluxUnavailable extends MillraceError {
  /** The HTTP status that said so; null where there was none. */
  readonly status: number | null;
  /** What its Retry-After asked for, else null. */
  readonly retryAfterMs: number | null;

  constructor(
    message: string,
    options: { status?: number; retryAfterMs?: number | null; cause?: unknown } = {},
  ) {
    super('store_unavailable', message, { cause: options.cause });
    this.status = options.status ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** InfluxDB is there, but did not do this one query. */
export class QueryRefused extends InfluxUnavailable {}

/**
 * Retry-After as milliseconds: seconds or an HTTP date (RFC 9110, section 10.2.3). Null for anything else.
 * The client library would read the seconds as milliseconds.
 */
export function parseRetryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const atMs = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}
