/**
 * Numbers printed straight into bytes. Each function writes at `at` and returns where it ended; the caller has
 * made room for MAX_NUMBER_BYTES. `view` is of the same memory as `bytes`. The texts read back as the same numbers; of
 * doubles and integers they are those that JavaScript prints, the shortest that do.
 */

/**
 * Bytes of the longest number, a double with sign, 17 digits, point and exponent, and what writing in words spoils
 * behind it.
 */
export const MAX_NUMBER_BYTES = 30;

const ZERO = 48;
const MINUS = 45;
const POINT = 46;

/** The four digits of 0 to 9,999 as one little-endian word. */
const FOURS = Int32Array.from({ length: 10_000 }, (_, n) =>
  Buffer.from(String(n).padStart(4, '0')).readInt32LE(),
);
/** 0 to 9,999 without leading zeros, in the same form, and how many digits each has. */
const SHORT = Int32Array.from({ length: 10_000 }, (_, n) => Buffer.from(String(n).padEnd(4)).readInt32LE());
const SHORT_LENGTHS = Uint8Array.from(SHORT, (_, n) => String(n).length);
/** By number of decimals: the point with 0 to 10^k - 1 behind it, in the same form. */
const FRACTIONS = [0, 1, 2, 3].map((k) =>
  Int32Array.from({ length: 10 ** k }, (_, n) =>
    Buffer.from(k === 0 ? '    ' : `.${String(n).padStart(k, '0')}`.padEnd(4)).readInt32LE(),
  ),
);
const MAX_TABLE_DECIMALS = 3;
const INTEGER_POWERS = Int32Array.from([1, 10, 100, 1_000]);
/** 10^k as doubles, all exact. */
const POWERS = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));
const E4 = 10_000;
const E8 = 100_000_000;
const NS_PER_S = 1_000_000_000;
const S_PER_NS = 1e-9;
const WORD = 4_294_967_296;

/** Numbers of at most 15 digits are told apart by doubles: a decimal that reads back is then the only one. */
const MAX_EXACT = 1e15;
/** A double and its product with a power are each rounded once: together at most this share of it. */
const DOUBLE_ERROR = 2 ** -51;
/** JavaScript prints smaller numbers with an exponent. */
const MIN_FIXED = 1e-6;
/** From here on 16 decimals of a float32 are nearer to it than half the distance to the next double … */
const FAR_FROM_ZERO32 = 0.5;
/** … from here on 20 are … */
const MIN_DECIMALS32 = 2 ** -13;
/** … and from here on there are none. */
const MAX_INTEGER32 = 2 ** 24;

/** A finite double. */
export function putDouble(bytes: Uint8Array, view: DataView, at: number, value: number): number {
  const size = Math.abs(value);
  if (size < MIN_FIXED || size >= MAX_EXACT) return putOther(bytes, at, value);
  for (let k = 0; k < 16; k++) {
    const power = POWERS[k] ?? 1;
    const scaled = size * power;
    if (scaled >= MAX_EXACT) break;
    const n = Math.floor(scaled + 0.5);
    // The division rounds right, so that it gives what a parser makes of n's digits with the point put in.
    if (Math.abs(scaled - n) <= n * DOUBLE_ERROR && n / power === size) {
      return putDecimal(bytes, view, putSign(bytes, at, value), n, k);
    }
  }
  return putOther(bytes, at, value);
}

/**
 * A finite double that is a float32, with digits that read back as that very double. The shortest decimal of the float32
 * would be another double, which it would stay for readers that know the field as a double.
 */
export function putFloat32(bytes: Uint8Array, view: DataView, at: number, value: number): number {
  const size = Math.abs(value);
  if (size < MIN_DECIMALS32 || size >= MAX_INTEGER32) return putOther(bytes, at, value);
  const whole = size | 0;
  const fraction = size - whole;
  let end = putSign(bytes, at, value);
  if (whole < E4) {
    view.setInt32(end, SHORT[whole] ?? 0, true);
    end += SHORT_LENGTHS[whole] ?? 0;
  } else {
    end = putUnsigned(bytes, end, whole);
  }
  if (fraction === 0) return end;
  bytes[end++] = POINT;
  // 24 bits times 5^8, and what is left of them times 5^8 again, are exact.
  const upper = fraction * E8;
  const first = upper | 0;
  putEight(view, end, first);
  end += 8;
  const lower = (upper - first) * E8;
  if (size >= FAR_FROM_ZERO32) {
    putEight(view, end, (lower + 0.5) | 0);
    return withoutZeros(bytes, end + 8);
  }
  const second = lower | 0;
  const third = ((lower - second) * E4 + 0.5) | 0;
  if (third === E4) return putOther(bytes, at, value);
  putEight(view, end, second);
  view.setInt32(end + 8, FOURS[third] ?? 0, true);
  return withoutZeros(bytes, end + 12);
}

/** The end of a decimal without the zeros behind its last digit, of which it has one behind the point. */
function withoutZeros(bytes: Uint8Array, end: number): number {
  while (bytes[end - 1] === ZERO) end--;
  return end;
}

/** A 64-bit integer in two halves. */
export function putInteger(bytes: Uint8Array, at: number, low: number, high: number): number {
  if (high === low >> 31) return putUnsigned(bytes, putSign(bytes, at, low), Math.abs(low));
  // A double would lose the last bits of integers of 53 bits and more.
  if (high >= 0x20_0000 || high < -0x20_0000) return putText(bytes, at, integerText(low, high));
  const value = high * WORD + (low >>> 0);
  return putUnsigned(bytes, putSign(bytes, at, value), Math.abs(value));
}

/** Nanoseconds since the epoch in two halves, not negative. */
export function putTime(bytes: Uint8Array, view: DataView, at: number, low: number, high: number): number {
  // The double is off by some hundred nanoseconds: the quotient by 1 at most, and the rest is exact in 32 bits.
  let seconds = Math.floor((high * WORD + (low >>> 0)) * S_PER_NS);
  let rest = (low - Math.imul(seconds | 0, NS_PER_S)) | 0;
  if (rest < 0) {
    seconds--;
    rest += NS_PER_S;
  } else if (rest >= NS_PER_S) {
    seconds++;
    rest -= NS_PER_S;
  }
  if (seconds === 0) return putUnsigned(bytes, at, rest);
  let end: number;
  if (seconds >= NS_PER_S && seconds <= 0x7fff_ffff) {
    const first = (seconds / E8) | 0;
    bytes[at] = ZERO + ((first / 10) | 0);
    bytes[at + 1] = ZERO + (first % 10);
    putEight(view, at + 2, seconds - first * E8);
    end = at + 10;
  } else {
    end = putUnsigned(bytes, at, seconds);
  }
  const front = (rest / 10) | 0;
  putEight(view, end, front);
  bytes[end + 8] = ZERO + (rest - front * 10);
  return end + 9;
}

function integerText(low: number, high: number): string {
  return ((BigInt(high) << 32n) | BigInt(low >>> 0)).toString();
}

/** What the fast ways leave: zeros, exponents, and numbers with more digits than they try. */
function putOther(bytes: Uint8Array, at: number, value: number): number {
  if (value !== 0) return putText(bytes, at, String(value));
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
function putDecimal(bytes: Uint8Array, view: DataView, at: number, n: number, k: number): number {
  if (k === 0) return putUnsigned(bytes, at, n);
  if (n > 0x7fff_ffff || k > 9) return putLongDecimal(bytes, at, n, k);
  let left = n | 0;
  if (k <= MAX_TABLE_DECIMALS) {
    const power = INTEGER_POWERS[k] ?? 1;
    const whole = (left / power) | 0;
    if (whole < E4) {
      view.setInt32(at, SHORT[whole] ?? 0, true);
      const end = at + (SHORT_LENGTHS[whole] ?? 0);
      view.setInt32(end, FRACTIONS[k]?.[left - whole * power] ?? 0, true);
      return end + k + 1;
    }
  }
  // At least one digit stands in front of the point.
  const width = Math.max(digitsOf(left), k + 1);
  const point = at + width - k;
  let i = at + width;
  for (; i > point; i--) {
    const front = (left / 10) | 0;
    bytes[i] = ZERO + (left - front * 10);
    left = front;
  }
  bytes[i--] = POINT;
  for (; i >= at; i--) {
    const front = (left / 10) | 0;
    bytes[i] = ZERO + (left - front * 10);
    left = front;
  }
  return at + width + 1;
}

function putLongDecimal(bytes: Uint8Array, at: number, n: number, k: number): number {
  const power = POWERS[k] ?? 1;
  const whole = Math.floor(n / power);
  const end = putUnsigned(bytes, at, whole);
  bytes[end] = POINT;
  return putPadded(bytes, end + 1, n - whole * power, k);
}

/** `n` with leading zeros to `width` digits. */
function putPadded(bytes: Uint8Array, at: number, n: number, width: number): number {
  let left = n;
  for (let i = at + width - 1; i >= at; i--) {
    const front = Math.floor(left / 10);
    bytes[i] = ZERO + (left - front * 10);
    left = front;
  }
  return at + width;
}

/** A non-negative integer below 2^53. */
function putUnsigned(bytes: Uint8Array, at: number, n: number): number {
  if (n > 0x7fff_ffff) {
    const front = Math.floor(n / E8);
    return putPadded(bytes, putUnsigned(bytes, at, front), n - front * E8, 8);
  }
  let left = n | 0;
  const end = at + digitsOf(left);
  for (let i = end - 1; i >= at; i--) {
    const front = (left / 10) | 0;
    bytes[i] = ZERO + (left - front * 10);
    left = front;
  }
  return end;
}

function digitsOf(n: number): number {
  if (n < 10_000) return n < 100 ? (n < 10 ? 1 : 2) : n < 1_000 ? 3 : 4;
  if (n < 1_000_000) return n < 100_000 ? 5 : 6;
  if (n < 100_000_000) return n < 10_000_000 ? 7 : 8;
  return n < 1_000_000_000 ? 9 : 10;
}

/** Exactly eight digits. */
function putEight(view: DataView, at: number, n: number): void {
  const front = (n / E4) | 0;
  view.setInt32(at, FOURS[front] ?? 0, true);
  view.setInt32(at + 4, FOURS[n - front * E4] ?? 0, true);
}
