import { LIMITS } from '../core/index.ts';
import { REFUSED } from './refusal.ts';

/**
 * Checks of single values in Avro's binary encoding, for the generated guard. Each takes a place `p` in
 * `b`, which ends at `e`, and returns the place behind the value or a number of REFUSED. None allocates.
 * Varints must be in their shortest form: 0x80 0x00 is no zero.
 */

/** Results that do not fit into the place: a varint's two halves after zig-zag, low first. */
export const words = new Int32Array(2);
/** The count of the last block header, and the place where the block must end (-1: not said). */
export const block = new Float64Array(2);

/** How a string is used: what is passed over only has to be UTF-8. Tags have a check of their own. */
export const TEXT_USE = { ignored: 0, field: 1 } as const;

export function checkLong(b: Uint8Array, p: number, e: number): number {
  for (let n = 0; n < 10; n++) {
    if (p >= e) return REFUSED.truncated;
    const byte = b[p++] as number;
    if (byte < 128) return (n > 0 && byte === 0) || (n === 9 && byte > 1) ? REFUSED.varint : p;
  }
  return REFUSED.varint;
}

export function checkInt(b: Uint8Array, p: number, e: number): number {
  for (let n = 0; n < 5; n++) {
    if (p >= e) return REFUSED.truncated;
    const byte = b[p++] as number;
    if (byte < 128) return (n > 0 && byte === 0) || (n === 4 && byte > 15) ? REFUSED.varint : p;
  }
  return REFUSED.varint;
}

/** A long whose bytes are known to be right: fills `words`. */
export function readLong(b: Uint8Array, p: number): number {
  let low = 0;
  let middle = 0;
  let high = 0;
  let byte = b[p++] as number;
  low = byte & 0x7f;
  for (let shift = 7; byte >= 128 && shift < 28; shift += 7) {
    byte = b[p++] as number;
    low |= (byte & 0x7f) << shift;
  }
  for (let shift = 0; byte >= 128 && shift < 28; shift += 7) {
    byte = b[p++] as number;
    middle |= (byte & 0x7f) << shift;
  }
  for (let shift = 0; byte >= 128 && shift < 14; shift += 7) {
    byte = b[p++] as number;
    high |= (byte & 0x7f) << shift;
  }
  const rawLow = low | (middle << 28);
  const rawHigh = (middle >>> 4) | (high << 24);
  const sign = -(rawLow & 1);
  words[0] = ((rawLow >>> 1) | (rawHigh << 31)) ^ sign;
  words[1] = (rawHigh >>> 1) ^ sign;
  return p;
}

/** What readLong found. */
export function wordsAsBigInt(): bigint {
  return (BigInt(words[1] as number) << 32n) | BigInt((words[0] as number) >>> 0);
}

/** What readLong found, as a number: exact up to 2^53. */
export function wordsAsNumber(): number {
  return (words[1] as number) * 4294967296 + ((words[0] as number) >>> 0);
}

/** A time of `perMs` units to the millisecond, from `earliestMs` (1970 or later) to `latestMs`. */
export function checkTime(
  b: Uint8Array,
  p: number,
  e: number,
  perMs: number,
  earliestMs: number,
  latestMs: number,
): number {
  // Milliseconds of the years 1971 to 2039 take six bytes: what nearly every reading has, at half the cost.
  if (perMs === 1 && e - p >= 6) {
    const b0 = b[p] as number;
    const b1 = b[p + 1] as number;
    const b2 = b[p + 2] as number;
    const b3 = b[p + 3] as number;
    const b4 = b[p + 4] as number;
    const b5 = b[p + 5] as number;
    // Five bytes that go on, one that ends and is not zero, and the lowest bit for a number that is not negative.
    if ((b0 & b1 & b2 & b3 & b4) > 127 && b5 < 128 && b5 !== 0 && (b0 & 1) === 0) {
      const low = ((b0 & 0x7e) >> 1) | ((b1 & 0x7f) << 6) | ((b2 & 0x7f) << 13) | ((b3 & 0x7f) << 20);
      const value = ((b4 & 0x7f) | (b5 << 7)) * 0x800_0000 + low;
      return value > latestMs || value < earliestMs ? REFUSED.time : p + 6;
    }
  }
  const next = checkLong(b, p, e);
  if (next < 0) return next;
  readLong(b, p);
  const value = wordsAsNumber();
  return value < earliestMs * perMs || value > latestMs * perMs ? REFUSED.time : next;
}

/** The index of a union branch or enum symbol below `count`; leaves it in words[0]. */
export function checkIndex(b: Uint8Array, p: number, e: number, count: number): number {
  const next = checkInt(b, p, e);
  if (next < 0) return next;
  readLong(b, p);
  const index = words[0] as number;
  return index < 0 || index >= count ? REFUSED.index : next;
}

/** The length of a string or bytes, within what is left; leaves it in words[0]. */
function checkLength(b: Uint8Array, p: number, e: number): number {
  const next = checkLong(b, p, e);
  if (next < 0) return next;
  readLong(b, p);
  const length = wordsAsNumber();
  if (length < 0) return REFUSED.length;
  return length > e - next ? REFUSED.truncated : next;
}

export function checkBytes(b: Uint8Array, p: number, e: number): number {
  const from = checkLength(b, p, e);
  return from < 0 ? from : from + (words[0] as number);
}

export function checkText(b: Uint8Array, p: number, e: number, use: number): number {
  const from = checkLength(b, p, e);
  if (from < 0) return from;
  const length = words[0] as number;
  const to = from + length;
  if (use !== TEXT_USE.ignored && length > LIMITS.maxStringBytes) return REFUSED.tooLong;
  for (let at = from; at < to; at++) {
    const byte = b[at] as number;
    if (byte >= 128) {
      const next = behindCodePoint(b, at, to);
      if (next < 0) return REFUSED.utf8;
      at = next - 1;
    }
  }
  return to;
}

/** What a byte of a tag asks for: nothing, an escape in line protocol, a look at its code point, or a refusal. */
const PLAIN = 0;
const ESCAPED = 1;
const MULTIBYTE = 2;
const UNUSABLE = 3;
const BYTE_CLASS = new Uint8Array(256).fill(MULTIBYTE, 128);
for (const sign of ', =') BYTE_CLASS[sign.charCodeAt(0)] = ESCAPED;
for (const sign of '\n\0') BYTE_CLASS[sign.charCodeAt(0)] = UNUSABLE;

/** A tag's string: leaves the bytes that it takes in line protocol in words[1]. */
export function checkTag(b: Uint8Array, p: number, e: number): number {
  const from = checkLength(b, p, e);
  if (from < 0) return from;
  const length = words[0] as number;
  const to = from + length;
  if (length > LIMITS.maxStringBytes) return REFUSED.tooLong;
  let escapes = 0;
  for (let at = from; at < to; at++) {
    const kind = BYTE_CLASS[b[at] as number];
    if (kind === PLAIN) continue;
    if (kind === ESCAPED) {
      escapes++;
    } else if (kind === UNUSABLE) {
      return REFUSED.newline;
    } else {
      const next = behindCodePoint(b, at, to);
      if (next < 0) return REFUSED.utf8;
      at = next - 1;
    }
  }
  if (length > 0 && b[to - 1] === 0x5c) return REFUSED.backslash;
  words[1] = length + escapes;
  return to;
}

/** The place behind a code point of two to four bytes, or -1 (Unicode, table 3-7 "Well-Formed UTF-8"). */
function behindCodePoint(b: Uint8Array, at: number, to: number): number {
  const first = b[at] as number;
  const second = at + 1 < to ? (b[at + 1] as number) : 0;
  if (first < 0xc2 || first > 0xf4) return -1;
  if (first < 0xe0) return isTail(second) ? at + 2 : -1;
  const third = at + 2 < to ? (b[at + 2] as number) : 0;
  if (first < 0xf0) {
    // Neither overlong nor a surrogate.
    const from = first === 0xe0 ? 0xa0 : 0x80;
    const until = first === 0xed ? 0x9f : 0xbf;
    return second >= from && second <= until && isTail(third) ? at + 3 : -1;
  }
  const fourth = at + 3 < to ? (b[at + 3] as number) : 0;
  const from = first === 0xf0 ? 0x90 : 0x80;
  const until = first === 0xf4 ? 0x8f : 0xbf;
  return second >= from && second <= until && isTail(third) && isTail(fourth) ? at + 4 : -1;
}

function isTail(byte: number): boolean {
  return byte >= 0x80 && byte <= 0xbf;
}

/** The frame's own device name, which must be the connection's; ids are ASCII. */
export function checkDevice(b: Uint8Array, p: number, e: number, device: string): number {
  const to = checkText(b, p, e, TEXT_USE.field);
  if (to < 0) return to;
  const length = words[0] as number;
  if (length !== device.length) return REFUSED.device;
  const from = to - length;
  for (let n = 0; n < device.length; n++) {
    if (b[from + n] !== device.charCodeAt(n)) return REFUSED.device;
  }
  return to;
}

/**
 * The header of a block of items that take at least `minItemBytes` each: fills `block`. A count of 0 ends
 * the array.
 */
export function checkBlock(b: Uint8Array, p: number, e: number, minItemBytes: number): number {
  let next = checkLong(b, p, e);
  if (next < 0) return next;
  readLong(b, p);
  let count = wordsAsNumber();
  let end = -1;
  if (count < 0) {
    count = -count;
    const sizeAt = next;
    next = checkLong(b, sizeAt, e);
    if (next < 0) return next;
    readLong(b, sizeAt);
    const size = wordsAsNumber();
    if (size < 0 || size > e - next) return REFUSED.block;
    end = next + size;
  }
  if (count * minItemBytes > e - next) return REFUSED.block;
  block[0] = count;
  block[1] = end;
  return next;
}
