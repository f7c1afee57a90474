import { encodeCursor, type Cursor, type MillraceError } from '../core/index.ts';
import type { SubscriptionId } from './request.ts';

/**
 * The server's messages, each as its type, its JSON text and the cursor that it carries: what every form of
 * the tail needs, WebSocket sending the text alone.
 */
export interface TailMessage {
  type: 'hello' | 'subscribed' | 'data' | 'live' | 'progress' | 'gap' | 'error' | 'goaway';
  json: string;
  cursor: string | null;
}

export function helloMessage(epoch: string, limits: Readonly<Record<string, number>>): TailMessage {
  return { type: 'hello', json: JSON.stringify({ type: 'hello', epoch, limits }), cursor: null };
}

export function subscribedMessage(
  id: SubscriptionId,
  columns: readonly string[],
  cursor: Cursor,
): TailMessage {
  const at = encodeCursor(cursor);
  const json = `{"type":"subscribed","id":${JSON.stringify(id)},"columns":${columnsJson(columns)},"cursor":"${at}"}`;
  return { type: 'subscribed', json, cursor: at };
}

const columnTexts = new WeakMap<readonly string[], string>();

/** Many subscriptions have the same columns, of which there may be thousands. */
function columnsJson(columns: readonly string[]): string {
  let text = columnTexts.get(columns);
  if (text === undefined) columnTexts.set(columns, (text = JSON.stringify(columns)));
  return text;
}

/** `rowsJson` is the rows without the outer brackets; only `id` and `n` differ between sharers. */
export function dataMessage(id: SubscriptionId, n: number, cursor: string, rowsJson: string): TailMessage {
  return {
    type: 'data',
    json: `{"type":"data","id":${JSON.stringify(id)},"n":${n},"cursor":"${cursor}","rows":[${rowsJson}]}`,
    cursor,
  };
}

export function liveMessage(id: SubscriptionId, cursor: Cursor): TailMessage {
  return withCursor('live', { id }, encodeCursor(cursor));
}

export function progressMessage(id: SubscriptionId, cursor: Cursor): TailMessage {
  return withCursor('progress', { id }, encodeCursor(cursor));
}

/** Rows between two cursors cannot be delivered any more; `query` is where they may still be read. */
export function gapMessage(
  id: SubscriptionId,
  gap: { from: Cursor; to: Cursor; missed: number | null; query: string },
): TailMessage {
  const to = encodeCursor(gap.to);
  const body = { id, from: encodeCursor(gap.from), to, missed: gap.missed, query: gap.query };
  return { type: 'gap', json: JSON.stringify({ type: 'gap', ...body }), cursor: to };
}

export function errorMessage(id: SubscriptionId | null, error: MillraceError): TailMessage {
  const body = { ...(id === null ? {} : { id }), code: error.code, message: error.message };
  return { type: 'error', json: JSON.stringify({ type: 'error', ...body }), cursor: null };
}

export function goawayMessage(reason: string): TailMessage {
  return { type: 'goaway', json: JSON.stringify({ type: 'goaway', reason }), cursor: null };
}

function withCursor(type: TailMessage['type'], body: object, cursor: string): TailMessage {
  return { type, json: JSON.stringify({ type, ...body, cursor }), cursor };
}
