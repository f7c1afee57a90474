import { readLong, words } from './check-values.ts';

/** Longer texts are no names that repeat, and are made anew each time. */
const MAX_BYTES = 64;
/** Texts remembered, of all schemas together: 1 MB, and the texts themselves. A power of two. */
const SLOTS = 16_384;

/** Slot s holds the `lengths[s]` bytes from s * MAX_BYTES on, and what they say. */
const bytes = new Uint8Array(SLOTS * MAX_BYTES);
const lengths = new Uint8Array(SLOTS);
const texts = Array.from({ length: SLOTS }, () => '');

/**
 * The last text of a column, and its slot. Strings repeat from reading to reading and from frame to frame, or a few of
 * them take turns: they are found again by their bytes, so that equal texts mostly are one and the same string.
 */
export class TextMemory {
  text = '';
  slot = 0;
}

/** Reads a string; leaves it in `memory.text`. */
export function readText(b: Uint8Array, p: number, memory: TextMemory): number {
  const from = readLong(b, p);
  const length = words[0] as number;
  const to = from + length;
  if (length > MAX_BYTES) {
    memory.text = textOf(b, from, length);
    return to;
  }
  if (!holds(memory.slot, b, from, length)) {
    const slot = slotOf(b, from, to);
    memory.slot = slot;
    if (!holds(slot, b, from, length)) keep(slot, b, from, length);
  }
  memory.text = texts[memory.slot] as string;
  return to;
}

function holds(slot: number, b: Uint8Array, from: number, length: number): boolean {
  if (lengths[slot] !== length) return false;
  const at = slot * MAX_BYTES;
  let n = 0;
  while (n < length && b[from + n] === bytes[at + n]) n++;
  return n === length;
}

function keep(slot: number, b: Uint8Array, from: number, length: number): void {
  texts[slot] = textOf(b, from, length);
  lengths[slot] = length;
  const at = slot * MAX_BYTES;
  for (let n = 0; n < length; n++) bytes[at + n] = b[from + n] as number;
}

/** FNV-1a, whose higher bits are mixed into the lower ones. */
function slotOf(b: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (b[at] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

function textOf(b: Uint8Array, from: number, length: number): string {
  return Buffer.from(b.buffer, b.byteOffset + from, length).toString('utf8');
}
