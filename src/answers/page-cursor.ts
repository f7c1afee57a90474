import { createHash } from 'node:crypto';
import { z } from 'zod';
import { MAX_TIME_NS, MillraceError } from '../core/index.ts';
import type { RowKey } from '../store/index.ts';

/** Where the next page of rows begins. Times that were relative are fixed by the first page. */
export interface RowsPage {
  fromNs: bigint;
  toNs: bigint;
  /** The time of the last row given, and how many rows of exactly that time were given. */
  timeNs: bigint;
  skip: number;
  /** Which row it was; null where its texts are too long for a cursor. */
  key: RowKey | null;
  /** The `tail` of the first page: a tail from there misses nothing that came while the pages were read. */
  tail: string;
}

/** Names what a cursor belongs to: the same parameters give the same binding. */
export function bindingOf(parameters: object): string {
  return createHash('sha256').update(JSON.stringify(parameters)).digest('base64url').slice(0, 16);
}

const time = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt)
  .refine((ns) => ns <= MAX_TIME_NS);
const count = z.number().int().nonnegative();

const key = z.array(z.tuple([z.string(), z.string().nullable()])).nullable();

const rowsWire = z.tuple([z.literal('r'), z.string(), time, time, time, count, z.string().max(1_024), key]);
const keyWire = z.tuple([z.literal('k'), z.string(), z.string().max(1_024)]);

/** Opaque text: base64url. */
export function encodeRowsPage(binding: string, page: RowsPage): string {
  const { fromNs, toNs, timeNs, skip, tail } = page;
  return encode(['r', binding, `${fromNs}`, `${toNs}`, `${timeNs}`, skip, tail, page.key]);
}

/** Throws `cursor_invalid` for a cursor of other parameters, or one that encodeRowsPage did not make. */
export function decodeRowsPage(binding: string, text: string): RowsPage {
  const parsed = rowsWire.safeParse(decode(text));
  if (!parsed.success) throw foreign();
  const [, bound, fromNs, toNs, timeNs, skip, tail, key] = parsed.data;
  if (bound !== binding) throw otherParameters();
  return {
    fromNs,
    toNs,
    timeNs,
    skip,
    tail,
    key,
  };
}

/** A cursor of a list that goes on behind a key (a device, a dead letter). `binding` names the list. */
export function encodeKeyPage(binding: string, key: string): string {
  return encode(['k', binding, key]);
}

/** Throws `cursor_invalid` for a cursor of another list, or one that encodeKeyPage did not make. */
export function decodeKeyPage(binding: string, text: string): string {
  const parsed = keyWire.safeParse(decode(text));
  if (!parsed.success) throw foreign();
  const [, bound, key] = parsed.data;
  if (bound !== binding) throw otherParameters();
  return key;
}

function encode(value: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}

function foreign(): MillraceError {
  return new MillraceError('cursor_invalid', 'the cursor was not made by this server for this route');
}

function otherParameters(): MillraceError {
  return new MillraceError('cursor_invalid', 'the cursor belongs to a query with other parameters');
}
