import { crc32 } from 'node:zlib';
import { pack, unpack } from 'msgpackr';
import { MillraceError } from '../../../core/index.ts';
import type { DeadLetter, DeadLetterInput } from '../../journal.ts';

/** Bytes that a dead letter counts for, beyond its own. */
const LETTER_BYTES = 128;

/** A dead letter without its id. */
export interface StoredLetter extends Omit<DeadLetter, 'id'> {
  /** When it became one. */
  sinceMs: number;
  /** What it counts for in the limit, in bytes. */
  size: number;
}

/** A dead letter of the storage, with its id. */
export interface FoundLetter {
  id: number;
  letter: StoredLetter;
}

/** The same as a walk over the storage finds it: null for a damaged record. */
export interface WalkedLetter {
  id: number;
  letter: StoredLetter | null;
}

/** A record begins with this byte, which msgpack does not use, and the CRC-32 of the msgpack behind it, little-endian. */
const SEALED = 0xc1;
const SEAL_BYTES = 5;

/** A letter's record. */
export function encodeLetter(letter: StoredLetter): Buffer {
  const bytes = pack(letter);
  const record = Buffer.allocUnsafe(SEAL_BYTES + bytes.length);
  record[0] = SEALED;
  record.writeUInt32LE(crc32(bytes), 1);
  record.set(bytes, SEAL_BYTES);
  return record;
}

/** The letter of a record, also of one from before there were checksums; null for a damaged one. */
export function decodeLetter(record: Buffer): StoredLetter | null {
  try {
    if (record[0] !== SEALED) return asLetter(unpack(record));
    const bytes = record.subarray(SEAL_BYTES);
    return record.readUInt32LE(1) === crc32(bytes) ? asLetter(unpack(bytes)) : null;
  } catch {
    return null;
  }
}

function asLetter(found: unknown): StoredLetter | null {
  const isLetter =
    typeof found === 'object' && found !== null && 'bytes' in found && found.bytes instanceof Uint8Array;
  return isLetter ? readLetter(found as StoredLetter) : null;
}

export function letterSize(letter: DeadLetterInput): number {
  return LETTER_BYTES + letter.bytes.length + letter.message.length + letter.device.length;
}

export function storedLetter(letter: DeadLetterInput, kind: DeadLetter['kind'], nowMs: number): StoredLetter {
  const { device, transport, atMs, code, message, readings, seq, position, bytes } = letter;
  return {
    device,
    transport,
    atMs,
    code,
    message,
    readings,
    seq,
    position,
    bytes,
    kind,
    sinceMs: nowMs,
    size: letterSize(letter),
  };
}

/** Fields that letters of earlier versions do not have. */
type Later = 'readings' | 'seq' | 'position' | 'sinceMs';

/** A letter as it was found. Where there is no count of readings, it is known of one kind only. */
function readLetter(found: Partial<Pick<StoredLetter, Later>> & Omit<StoredLetter, Later>): StoredLetter {
  return {
    ...found,
    readings: found.readings ?? (found.kind === 'rejected' ? 1 : 0),
    seq: found.seq ?? null,
    position: found.position ?? null,
    sinceMs: found.sinceMs ?? found.atMs,
  };
}

/** Ids are the number in base 36: short and stable. */
export function deadLetter(id: number, letter: StoredLetter): DeadLetter {
  const { size: _, sinceMs: __, ...rest } = letter;
  return { id: letterId(id), ...rest };
}

export function letterId(id: number): string {
  return id.toString(36);
}

/** Throws `cursor_invalid` for a text that is no id. */
export function parseLetterId(text: string): number {
  const id = /^[0-9a-z]{1,10}$/.test(text) ? Number.parseInt(text, 36) : Number.NaN;
  if (!Number.isSafeInteger(id))
    throw new MillraceError('cursor_invalid', `"${text.slice(0, 40)}" is no dead letter`);
  return id;
}
