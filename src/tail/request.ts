import { z } from 'zod';
import { MillraceError, NS_PER_MS, decodeCursor, parseTimeNs, type Cursor } from '../core/index.ts';
import { bindParameters, inputJsonSchema, readMembers, readQuery, type RawParameters } from '../net/index.ts';
import { choose, selectionInput, timeForms, timeInput, type Registry } from '../registry/index.ts';
import type { TailFilter } from './filter.ts';

/** Subscription ids are the client's own; they are echoed as they came. */
export type SubscriptionId = string | number;

/** Where a subscription begins: at the journal's head, at a time (stored rows first), or at a cursor. */
export type TailStart = { at: 'now' } | { at: 'time'; fromNs: bigint } | { at: 'cursor'; cursor: Cursor };

/** What a client asks for. The measurement and its tags are known; the fields are looked up when it begins. */
export interface SubscribeRequest {
  id: SubscriptionId;
  filter: TailFilter;
  start: TailStart;
  /** `all` sends every row; `latest` keeps only the newest of each series while the reader is slow. */
  mode: 'all' | 'latest';
}

export type ClientMessage =
  | { type: 'subscribe'; id: SubscriptionId; body: RawParameters }
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
      const body = new Map(readMembers(json as object));
      body.delete('type');
      body.delete('id');
      return { type: 'subscribe', id: message.id, body };
    }
    case 'unsubscribe':
      return { type: 'unsubscribe', id: message.id };
    case 'auth':
      return { type: 'auth' };
  }
}

const subscribeInput = z.object({
  ...selectionInput,
  from: timeInput.default('now').describe(`Stored rows from here on come first: ${timeForms}`),
  cursor: z.string().max(2_048).optional().describe('Go on where another tail or a query ended'),
  mode: z.enum(['all', 'latest']).default('all'),
});
const subscribeSchema = inputJsonSchema(subscribeInput);

/**
 * Checks what a subscription asks for; `body` are the message's members without `type` and `id`, or the URL's
 * parameters. A cursor wins over `from`, so that a client may keep its first request and only add where it is.
 * Throws `measurement_unknown`, `field_unknown`, `parameter_missing`, `parameter_unknown`, `parameter_invalid` or
 * `cursor_invalid`, with the words in which a query says the same.
 */
export function parseSubscribe(
  id: SubscriptionId,
  body: RawParameters,
  registry: Pick<Registry, 'measurement' | 'measurements'>,
  nowMs: number,
): SubscribeRequest {
  const input = bindParameters(body, subscribeInput, subscribeSchema);
  const start = parseStart(input.from, input.cursor, nowMs);
  const { measurement, devices, tags } = choose(registry, input);
  return {
    id,
    filter: {
      measurement: measurement.name,
      fields: distinct(input.field ?? []),
      devices: distinct(devices),
      tags: Object.fromEntries(Object.entries(tags).map(([name, list]) => [name, distinct(list)])),
    },
    start,
    mode: input.mode,
  };
}

function parseStart(from: string, cursor: string | undefined, nowMs: number): TailStart {
  if (cursor !== undefined) return { at: 'cursor', cursor: decodeCursor(cursor) };
  if (from === 'now') return { at: 'now' };
  return { at: 'time', fromNs: parseTimeNs(from, 'from', BigInt(nowMs) * NS_PER_MS) };
}

/** The parameters of a subscription in a URL; null when it asks for none. */
export function subscribeBodyOf(query: string): RawParameters | null {
  const body = readQuery(query, {}, []);
  return body.size === 0 ? null : body;
}

function distinct(list: readonly string[]): string[] {
  return [...new Set(list)].sort();
}
