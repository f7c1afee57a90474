/**
 * The messages of millrace.v1 as they travel: JSON text, one object with a `type` each. docs/protocol.md
 * describes them. Parsing is lenient towards the future: unknown members are ignored, unknown types are
 * null, and so is anything malformed.
 */
export const INGEST_SUBPROTOCOL = 'millrace.v1';

export interface Welcome {
  type: 'welcome';
  device: string;
  epoch: string;
  /** Everything up to this number is durable from before. */
  seq: number;
  maxFrameBytes: number;
  maxUnacked: number;
  maxUnackedBytes: number;
}
export interface Ack {
  type: 'ack';
  seq: number;
}
export interface Reject {
  type: 'reject';
  seq: number;
  code: string;
  message: string;
}
export interface GoAway {
  type: 'goaway';
  reason: string;
}
export type IngestServerMessage = Welcome | Ack | Reject | GoAway;

/** One cell of a row: times and integers beyond 2^53 travel as strings. */
export type TailCell = string | number | boolean | null;
export type TailRow = readonly TailCell[];

/** What to tail: the filters of a query, and where to begin. `cursor` goes before `from`. */
export interface TailRequest {
  measurement: string;
  device?: string | readonly string[];
  field?: string | readonly string[];
  tag?: Readonly<Record<string, string | readonly string[]>>;
  /** `now`, `-5m`, RFC 3339 or epoch milliseconds. */
  from?: string;
  cursor?: string;
  mode?: 'all' | 'latest';
}
export type TailClientMessage =
  (TailRequest & { type: 'subscribe'; id: string }) | { type: 'unsubscribe'; id: string };

export interface Subscribed {
  type: 'subscribed';
  id: string;
  columns: readonly string[];
  cursor: string;
}
export interface TailData {
  type: 'data';
  id: string;
  /** Counts the data messages of one subscription, dense from 1. */
  n: number;
  /** Where to go on after these rows. */
  cursor: string;
  rows: readonly TailRow[];
}
export interface TailLive {
  type: 'live';
  id: string;
  /** Where to go on from here, where the server says so. */
  cursor: string | null;
}
export interface TailProgress {
  type: 'progress';
  id: string;
  cursor: string;
}
/** Rows between two cursors that this tail will not bring. */
export interface TailGap {
  type: 'gap';
  id: string;
  from: string;
  to: string;
  /** How many rows, where the server knows. */
  missed: number | null;
  /** A URL that reads them from the store, and other rows of their times. */
  query: string;
}
/** `id` is null where the error is about the connection. */
export interface TailError {
  type: 'error';
  id: string | null;
  code: string;
  message: string;
}
export type TailServerMessage =
  { type: 'hello' } | Subscribed | TailData | TailLive | TailProgress | TailGap | TailError | GoAway;

type Members = Readonly<Record<string, unknown>>;

/** Reads a message of `/v1/ingest`; null when it is none. */
export function parseIngestMessage(text: string): IngestServerMessage | null {
  const m = parseObject(text);
  if (m === null) return null;
  const { type, seq } = m;
  if (type === 'goaway') return { type, reason: textOf(m['reason']) ?? '' };
  if (!isCount(seq)) return null;
  if (type === 'ack') return { type, seq };
  if (type === 'reject') {
    return { type, seq, code: textOf(m['code']) ?? 'unknown', message: textOf(m['message']) ?? '' };
  }
  const { device, epoch, maxFrameBytes, maxUnacked, maxUnackedBytes } = m;
  if (type !== 'welcome' || typeof epoch !== 'string' || typeof device !== 'string') return null;
  if (!isCount(maxFrameBytes) || !isCount(maxUnacked) || !isCount(maxUnackedBytes)) return null;
  return { type, device, epoch, seq, maxFrameBytes, maxUnacked, maxUnackedBytes };
}

/** Reads a message of `/v1/tail`; null when it is none. */
export function parseTailMessage(text: string): TailServerMessage | null {
  const m = parseObject(text);
  if (m === null) return null;
  const { type, cursor } = m;
  const id = textOf(m['id']);
  if (type === 'hello') return { type };
  if (type === 'goaway') return { type, reason: textOf(m['reason']) ?? '' };
  if (type === 'error') {
    return { type, id, code: textOf(m['code']) ?? 'unknown', message: textOf(m['message']) ?? '' };
  }
  if (id === null) return null;
  if (type === 'live') return { type, id, cursor: textOf(cursor) };
  if (type === 'gap') return gapOf(m, id);
  if (typeof cursor !== 'string') return null;
  if (type === 'progress') return { type, id, cursor };
  if (type === 'subscribed' && isTextList(m['columns'])) {
    return { type, id, columns: m['columns'], cursor };
  }
  if (type === 'data' && isCount(m['n']) && isRows(m['rows'])) {
    return { type, id, n: m['n'], cursor, rows: m['rows'] };
  }
  return null;
}

function gapOf(m: Members, id: string): TailGap | null {
  const { from, to, missed } = m;
  if (typeof from !== 'string' || typeof to !== 'string') return null;
  return {
    type: 'gap',
    id,
    from,
    to,
    missed: isCount(missed) ? missed : null,
    query: textOf(m['query']) ?? '',
  };
}

function parseObject(text: string): Members | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : null;
  } catch {
    return null;
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

// Rows are checked as far as walking them needs: their cells are only shown.
function isRows(value: unknown): value is TailRow[] {
  return Array.isArray(value) && value.every((row) => Array.isArray(row));
}
