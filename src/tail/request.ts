import { z } from 'zod';
import {
  LIMITS,
  MAX_TIME_NS,
  MillraceError,
  NS_PER_MS,
  decodeCursor,
  parseTimeNs,
  type Cursor,
} from '../core/index.ts';
import type { TailFilter } from './filter.ts';

/** Subscription ids are the client's own; they are echoed as they came. */
export type SubscriptionId = string | number;

/** Where a subscription begins: at the journal's head, at a time (stored rows first), or at a cursor. */
export type TailStart = { at: 'now' } | { at: 'time'; fromNs: bigint } | { at: 'cursor'; cursor: Cursor };

/** What a client asks for, checked in form; measurement, fields and tags are not looked up yet. */
export interface SubscribeRequest {
  id: SubscriptionId;
  filter: TailFilter;
  start: TailStart;
  /** `all` sends every row; `latest` keeps only the newest of each series while the reader is slow. */
  mode: 'all' | 'latest';
}

export type ClientMessage =
  | { type: 'subscribe'; id: SubscriptionId; body: Readonly<Record<string, unknown>> }
  | { type: 'unsubscribe'; id: SubscriptionId }
  | { type: 'auth' };

const idForm = z.union([z.string().min(1).max(64), z.number().int()]);
const messageForm = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('subscribe'), id: idForm }),
  z.looseObject({ type: z.literal('unsubscribe'), id: idForm }),
  z.looseObject({ type: z.literal('auth') }),
]);

/** Reads one text message. Throws `protocol_error` when it is none of the protocol's. */
export function parseClientMessage(text: string): ClientMessage {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new MillraceError('protocol_error', 'the message is not JSON', { cause });
  }
  const parsed = messageForm.safeParse(json);
  if (!parsed.success) {
    throw new MillraceError(
      'protocol_error',
      'expected {"type":"subscribe"|"unsubscribe","id":…} with an id of 1 to 64 characters, or {"type":"auth"}',
    );
  }
  const message = parsed.data;
  switch (message.type) {
    case 'subscribe': {
      const { type, id, ...body } = message;
      return { type, id, body };
    }
    case 'unsubscribe':
      return { type: 'unsubscribe', id: message.id };
    case 'auth':
      return { type: 'auth' };
  }
}

const value = z.string().max(LIMITS.maxParameterLength);
const values = z.union([value.transform((one) => [one]), z.array(value).max(LIMITS.maxParameterValues)]);
const subscribeForm = z.strictObject({
  measurement: value,
  device: values.optional(),
  field: values.optional(),
  tag: z.record(z.string(), values).optional(),
  from: z.union([value, z.number().int().nonnegative()]).optional(),
  cursor: value.optional(),
  mode: z.enum(['all', 'latest']).optional(),
});

/**
 * Checks what a subscription asks for; `body` is the message without `type` and `id`. A cursor wins over
 * `from`, so that a client may keep its first request and only add where it is.
 * Throws `parameter_missing`, `parameter_unknown`, `parameter_invalid` or `cursor_invalid`.
 */
export function parseSubscribe(
  id: SubscriptionId,
  body: Readonly<Record<string, unknown>>,
  nowMs: number,
): SubscribeRequest {
  if (body['measurement'] === undefined) {
    throw new MillraceError('parameter_missing', 'a subscription names its measurement');
  }
  const parsed = subscribeForm.safeParse(body);
  if (!parsed.success) throw refusal(parsed.error);
  const { measurement, device = [], field = [], tag = {}, from = 'now', cursor, mode = 'all' } = parsed.data;
  return {
    id,
    filter: {
      measurement,
      fields: distinct(field),
      devices: distinct(device),
      tags: Object.fromEntries(Object.entries(tag).map(([name, list]) => [name, distinct(list)])),
    },
    start: parseStart(from, cursor, nowMs),
    mode,
  };
}

function parseStart(from: string | number, cursor: string | undefined, nowMs: number): TailStart {
  if (cursor !== undefined) return { at: 'cursor', cursor: decodeCursor(cursor) };
  if (from === 'now') return { at: 'now' };
  const fromNs = parseTimeNs(String(from), 'from', BigInt(nowMs) * NS_PER_MS);
  return { at: 'time', fromNs: fromNs < 0n ? 0n : fromNs > MAX_TIME_NS ? MAX_TIME_NS : fromNs };
}

/** The body of a subscription from a URL's query; null when it asks for none. Repeated names make lists. */
export function subscribeBodyOf(query: URLSearchParams): Record<string, unknown> | null {
  // Without a prototype, so that a parameter called __proto__ is refused as unknown instead of vanishing.
  const body = Object.create(null) as Record<string, unknown>;
  const tag = Object.create(null) as Record<string, string[]>;
  for (const name of new Set(query.keys())) {
    const all = query.getAll(name);
    if (name.startsWith('tag.')) tag[name.slice('tag.'.length)] = all;
    else if (name === 'device' || name === 'field') body[name] = all;
    else if (all.length > 1) body[name] = all;
    else body[name] = all[0];
  }
  if (Object.keys(tag).length > 0) body['tag'] = tag;
  return Object.keys(body).length === 0 ? null : body;
}

function refusal(error: z.ZodError): MillraceError {
  const issue = error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    return new MillraceError(
      'parameter_unknown',
      `unknown: ${issue.keys.join(', ').slice(0, 200)}; known: ${Object.keys(subscribeForm.shape).join(', ')}`,
    );
  }
  const path = issue?.path.join('.') ?? '';
  return new MillraceError('parameter_invalid', `${path}: ${issue?.message ?? 'not as expected'}`, { path });
}

function distinct(list: readonly string[]): string[] {
  return [...new Set(list)].sort();
}
