import { shortestFloat32 } from '../../core/index.ts';

/**
 * Numbers printed straight into bytes. Each function writes at `at` and returns where it ended; the caller has
 * made room for MAX_NUMBER_BYTES. The texts are those that JavaScript prints: the shortest that read back the same.
 */

/** Bytes of the longest number: a double with sign, 17 digits, point and exponent, or a 64-bit integer. */
export const MAX_NUMBER_BYTES = 26;

const ZERO = 48;
const MINUS = 45;
const POINT = 46;

/** The two digits of 0 to 99 as one little-endian 16-bit word. */
const PAIRS = Uint16Array.from(
  { length: 100 },
  (_, n) => ZERO + Math.floor(n / 10) + ((ZERO + (n % 10)) << 8),
);
/** 10^k as doubles, all exact. */
const POWERS = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
const E4 = 10_000;
const E8 = 100_000_000;
const NS_PER_S = 1_000_000_000;
const WORD = 4_294_967_296;

/** Numbers of at most 15 digits are told apart by doubles: a decimal that reads back is then the only one. */
const MAX_EXACT = 1e15;
/** A double and its product with a power are each rounded once: together at most this share of it. */
const DOUBLE_ERROR = 2 ** -51;
/** JavaScript prints smaller numbers with an exponent. */
const MIN_FIXED = 1e-6;
/** Half the distance from a float32 to its neighbours is at most this share of it; a little more for safety. */
const HALF_ULP32 = 2 ** -24 * 1.000001;
/** 24 bits times 5^12 have less than 53: up to here the product with 10^k is exact. */
const MAX_DECIMALS32 = 12;
const MAX_INTEGER32 = 2 ** 24;

/** A finite double. */
export function putDouble(bytes: Uint8Array, at: number, value: number): number {
  const size = Math.abs(value);
  if (size < MIN_FIXED || size >= MAX_EXACT) return putOther(bytes, at, value, value);
  for (let k = 0; k < 16; k++) {
    const power = POWERS[k] ?? 1;
    const scaled = size * power;
    if (scaled >= MAX_EXACT) break;
    const n = Math.floor(scaled + 0.5);
    // The division rounds right, so that it gives what a parser makes of n's digits with the point put in.
    if (Math.abs(scaled - n) <= n * DOUBLE_ERROR && n / power === size) {
      return putDecimal(bytes, putSign(bytes, at, value), n, k);
    }
  }
  return putOther(bytes, at, value, value);
}

/** A finite double that is a float32, as the shortest decimal of that: see shortestFloat32. */
export function putFloat32(bytes: Uint8Array, at: number, value: number): number {
  const size = Math.abs(value);
  if (size < MIN_FIXED || size > MAX_INTEGER32) return putOther(bytes, at, value, shortestFloat32(value));
  for (let k = 0; k <= MAX_DECIMALS32; k++) {
    const power = POWERS[k] ?? 1;
    const scaled = size * power;
    const n = Math.floor(scaled + 0.5);
    if (Math.abs(scaled - n) <= scaled * HALF_ULP32 && Math.fround(n / power) === size) {
      return putDecimal(bytes, putSign(bytes, at, value), n, k);
    }
  }
  return putOther(bytes, at, value, shortestFloat32(value));
}

/** A 64-bit integer in two halves. */
export function putInteger(bytes: Uint8Array, at: number, low: number, high: number): number {
  if (high === low >> 31) return putUnsigned(bytes, putSign(bytes, at, low), Math.abs(low));
  // Of 53 bits and more the double would lose the last ones.
  if (high >= 0x20_0000 || high < -0x20_0000) return putText(bytes, at, integerText(low, high));
  const value = high * WORD + (low >>> 0);
  return putUnsigned(bytes, putSign(bytes, at, value), Math.abs(value));
}

/** Nanoseconds since the epoch in two halves, not negative. */
export function putTime(bytes: Uint8Array, at: number, low: number, high: number): number {
  // The double is off by some hundred nanoseconds: the quotient by 1 at most, and the rest is exact in 32 bits.
  let seconds = Math.floor((high * WORD + (low >>> 0)) / NS_PER_S);
  let rest = (low - Math.imul(seconds | 0, NS_PER_S)) | 0;
  if (rest < 0) {
    seconds--;
    rest += NS_PER_S;
  } else if (rest >= NS_PER_S) {
    seconds++;
    rest -= NS_PER_S;
  }
  if (seconds === 0) return putUnsigned(bytes, at, rest);
  const end = putUnsigned(bytes, at, seconds);
  const front = (rest / 10) | 0;
  putEight(bytes, end, front);
  bytes[end + 8] = ZERO + (rest - front * 10);
  return end + 9;
}

function integerText(low: number, high: number): string {
  return ((BigInt(high) << 32n) | BigInt(low >>> 0)).toString();
}

/** What the fast ways leave: zeros, exponents, and numbers with more digits than they try. */
function putOther(bytes: Uint8Array, at: number, value: number, shortest: number): number {
  if (value !== 0) return putText(bytes, at, String(shortest));
  if (Object.is(value, -0)) bytes[at++] = MINUS;
  bytes[at] = ZERO;
  return at + 1;
}

function putSign(bytes: Uint8Array, at: number, value: number): number {
  if (value >= 0) return at;
  bytes[at] = MINUS;
  return at + 1;
}

function putText(bytes: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** n / 10^k with exactly k decimals; n is an integer below 10^15. */
function putDecimal(bytes: Uint8Array, at: number, n: number, k: number): number {
  if (k === 0) return putUnsigned(bytes, at, n);
  const power = POWERS[k] ?? 1;
  const whole = Math.floor(n / power);
  at = putUnsigned(bytes, at, whole);
  bytes[at++] = POINT;
  return putPadded(bytes, at, n - whole * power, k);
}

/** `n` with leading zeros to `width` digits. */
function putPadded(bytes: Uint8Array, at: number, n: number, width: number): number {
  if (n > 0x7fff_ffff) {
    const front = Math.floor(n / E8);
    putEight(bytes, putPadded(bytes, at, front, width - 8), n - front * E8);
    return at + width;
  }
  let left = n | 0;
  let i = at + width;
  while (i >= at + 2) {
    const front = (left / 100) | 0;
    i = putPair(bytes, i - 2, left - front * 100);
    left = front;
  }
  if (i > at) bytes[at] = ZERO + left;
  return at + width;
}

/** A non-negative integer below 2^53. */
function putUnsigned(bytes: Uint8Array, at: number, n: number): number {
  if (n < 10) {
    bytes[at] = ZERO + n;
    return at + 1;
  }
  if (n < 100) {
    putPair(bytes, at, n);
    return at + 2;
  }
  if (n > 0x7fff_ffff) {
    const front = Math.floor(n / E8);
    const end = putUnsigned(bytes, at, front);
    putEight(bytes, end, n - front * E8);
    return end + 8;
  }
  return putPadded(bytes, at, n, digitsOf(n | 0));
}

function digitsOf(n: number): number {
  if (n < 100_000) return n < 1_000 ? 3 : n < 10_000 ? 4 : 5;
  if (n < 10_000_000) return n < 1_000_000 ? 6 : 7;
  return n < 100_000_000 ? 8 : n < 1_000_000_000 ? 9 : 10;
}

/** Exactly eight digits. */
function putEight(bytes: Uint8Array, at: number, n: number): void {
  const front = (n / E4) | 0;
  const back = n - front * E4;
  const first = (front / 100) | 0;
  const third = (back / 100) | 0;
  putPair(bytes, at, first);
  putPair(bytes, at + 2, front - first * 100);
  putPair(bytes, at + 4, third);
  putPair(bytes, at + 6, back - third * 100);
}

/** Returns `at`. */
function putPair(bytes: Uint8Array, at: number, n: number): number {
  const pair = PAIRS[n] ?? 0;
  bytes[at] = pair & 0xff;
  bytes[at + 1] = pair >> 8;
  return at;
}
