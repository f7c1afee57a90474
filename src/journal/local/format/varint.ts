/**
 * Unsigned LEB128 for numbers up to 2^53 - 1: seven bits a byte, the lowest first, the top bit says that
 * another byte follows. At most eight bytes.
 */
export const MAX_VARINT_BYTES = 8;

/** Writes `value` at `at` and returns the offset behind it. */
export function writeVarint(into: Uint8Array, at: number, value: number): number {
  let rest = value;
  let offset = at;
  // Bit operations are exact up to 32 bits only, so what is larger is divided down first.
  while (rest >= 0x80000000) {
    into[offset++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 0x80) {
    into[offset++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[offset++] = rest;
  return offset;
}

/** Signed numbers small in magnitude become small unsigned ones: 0, -1, 1, -2 → 0, 1, 2, 3. */
export function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Reads varints one after the other. Past the end it reads zeros: the caller checks `at`. */
export class VarintReader {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  next(): number {
    const first = this.bytes[this.at++] ?? 0;
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let scale = 128;
    for (;;) {
      const byte = this.bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }
}
