import { MillraceError } from '../../../core/index.ts';
import type { DedupeLimits, DedupeWindow } from './dedupe-window.ts';
import type { ContentsState } from '../format/state.ts';

/**
 * The dedupe window's entries on disk, under numbers counting up. Transactions that brought few frames share
 * one, which is written again with each of them. Version 1, little-endian:
 *
 *   1 byte   version: 1
 *   float64  when the newest frame of it was committed, in milliseconds since the UTC epoch
 *   u32      number of frames
 *   then groups until the end:
 *     1 byte   length of the device id, then the id in ASCII
 *     u32      number of contents, then each as one byte with its length and that many bytes
 */
const VERSION = 1;
const HEADER_BYTES = 13;
/** An entry is added to until it holds this many frames … */
const ENTRY_FRAMES = 64;
/** … or its first one is as old as this part of the window. */
const ENTRY_AGE = 1 / 64;
/** The log holds at most this many times the window's frames: those that the window forgot are still in it. */
const LOG_FACTOR = 2;
/** Entries that one transaction removes at most. */
const MAX_REMOVED = 4_096;
export const MAX_CONTENT_LENGTH = 64;

/** The contents that a device brought, by device. */
export type Contents = ReadonlyMap<string, readonly string[]>;

/** The log's last entry, which may still grow; null right after opening. */
export interface OpenEntry {
  id: number;
  bytes: Buffer;
  frames: number;
  sinceMs: number;
}

export interface KeptContents {
  state: ContentsState;
  /** The entry to write, if any. */
  put: { id: number; bytes: Buffer } | null;
  removed: number[];
  open: OpenEntry | null;
  more: boolean;
}

/** Puts the contents of a transaction at the end of the log and takes from its front what is too old or too much. */
export function keepContents(
  before: ContentsState,
  added: readonly Contents[],
  last: OpenEntry | null,
  log: (from: number) => Iterable<{ id: number; bytes: Buffer }>,
  limits: DedupeLimits,
  nowMs: number,
  stampMs: number,
): KeptContents {
  let { oldest, next, frames } = before;
  let open = last;
  let put: KeptContents['put'] = null;
  const count = framesIn(added);
  if (count > 0) {
    const room =
      open !== null &&
      open.frames < ENTRY_FRAMES &&
      Math.abs(stampMs - open.sinceMs) < limits.dedupeWindowMs * ENTRY_AGE;
    const base = room ? open : null;
    const id = base?.id ?? next++;
    const bytes = encodeEntry(base, added, count, stampMs);
    open = { id, bytes, frames: (base?.frames ?? 0) + count, sinceMs: base?.sinceMs ?? stampMs };
    put = { id, bytes };
    frames += count;
  }
  const removed: number[] = [];
  const maxFrames = LOG_FACTOR * limits.dedupeTotal;
  if (frames > count) {
    for (const { id, bytes } of log(oldest)) {
      const entry = readHeader(bytes, id);
      const goes = frames > maxFrames || nowMs - entry.atMs > limits.dedupeWindowMs;
      if (!goes || id === put?.id || removed.length === MAX_REMOVED) break;
      removed.push(id);
      frames -= entry.frames;
      oldest = id + 1;
      if (open?.id === id) open = null;
    }
  }
  return {
    state: { oldest, next, frames },
    put,
    removed,
    open,
    more: removed.length === MAX_REMOVED,
  };
}

/**
 * Fills the window from the newest entries of the log, as many as its total may hold. `frames`: those in the
 * whole log. Throws `journal_corrupt` or `data_dir_version`.
 */
export function restoreWindow(
  window: DedupeWindow,
  log: Iterable<{ id: number; bytes: Buffer }>,
  frames: number,
  { dedupeTotal }: Pick<DedupeLimits, 'dedupeTotal'>,
): void {
  let left = frames;
  for (const { id, bytes } of log) {
    const { atMs, frames: here } = readHeader(bytes, id);
    const skip = left - here >= dedupeTotal;
    left -= here;
    if (skip) continue;
    for (let at = HEADER_BYTES; at < bytes.length;) {
      const device = textAt(bytes, at, id);
      at += 1 + device.length;
      if (at + 4 > bytes.length) throw corrupt(id);
      const count = bytes.readUInt32LE(at);
      at += 4;
      for (let i = 0; i < count; i++) {
        const content = textAt(bytes, at, id);
        at += 1 + content.length;
        window.take(device, content, atMs);
      }
    }
  }
}

function encodeEntry(
  base: OpenEntry | null,
  added: readonly Contents[],
  count: number,
  nowMs: number,
): Buffer {
  let size = base?.bytes.length ?? HEADER_BYTES;
  for (const byDevice of added) {
    for (const [device, contents] of byDevice) {
      size += 5 + device.length;
      for (const content of contents) size += 1 + content.length;
    }
  }
  const bytes = Buffer.allocUnsafeSlow(size);
  let at = base?.bytes.copy(bytes) ?? HEADER_BYTES;
  bytes[0] = VERSION;
  bytes.writeDoubleLE(nowMs, 1);
  bytes.writeUInt32LE((base?.frames ?? 0) + count, 9);
  for (const byDevice of added) {
    for (const [device, contents] of byDevice) {
      at = writeText(bytes, at, device);
      at = bytes.writeUInt32LE(contents.length, at);
      for (const content of contents) at = writeText(bytes, at, content);
    }
  }
  return bytes;
}

function writeText(bytes: Buffer, at: number, text: string): number {
  bytes[at] = text.length;
  return at + 1 + bytes.write(text, at + 1, 'latin1');
}

function textAt(bytes: Buffer, at: number, id: number): string {
  const end = at + 1 + (bytes[at] ?? 0);
  if (end > bytes.length) throw corrupt(id);
  return bytes.toString('latin1', at + 1, end);
}

function readHeader(bytes: Buffer, id: number): { atMs: number; frames: number } {
  if (bytes.length < HEADER_BYTES) throw corrupt(id);
  if ((bytes[0] ?? 0) > VERSION) {
    throw new MillraceError(
      'data_dir_version',
      `the journal's dedupe entry ${id} has format ${bytes[0]}, this version knows up to ${VERSION}`,
    );
  }
  return { atMs: bytes.readDoubleLE(1), frames: bytes.readUInt32LE(9) };
}

function framesIn(added: readonly Contents[]): number {
  let count = 0;
  for (const byDevice of added) for (const contents of byDevice.values()) count += contents.length;
  return count;
}

function corrupt(id: number): MillraceError {
  return new MillraceError('journal_corrupt', `the journal's dedupe entry ${id} is damaged`);
}
