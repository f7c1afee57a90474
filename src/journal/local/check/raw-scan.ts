import { BLOCK_HEADER_BYTES, BLOCK_MAGIC, BLOCK_VERSION, openBlock, readBlockInfo } from '../format/block.ts';
import { type LmdbFile, PAGE_HEADER_BYTES, PAGE_LEAF, PAGE_OVERFLOW, u64 } from '../lmdb/lmdb-file.ts';

/** A whole block somewhere in the file: its checksum is right. */
export interface FoundBlock {
  first: number;
  next: number;
  offset: number;
  length: number;
  /** The transaction that wrote its page; 0 when the page does not say. */
  transaction: number;
}

const CHUNK_BYTES = 8 * 1024 * 1024;
/** Larger ones are never written. */
const MAX_BLOCK_BYTES = 64 * 1024 * 1024;
const MAGIC = Buffer.alloc(4);
MAGIC.writeUInt32LE(BLOCK_MAGIC);

/**
 * Looks for blocks in the bytes of the whole file, whatever lmdb's trees say: a value lies in one piece, in a leaf
 * page or in overflow pages. Finds those of freed pages too: blocks that were trimmed, and what a failed
 * transaction left behind. Bytes inside a whole block are not looked at: frames can hold anything.
 */
export function* scanBlocks(file: LmdbFile): Generator<FoundBlock, void, undefined> {
  let at = 0;
  let start = 0;
  let chunk: Buffer = Buffer.alloc(0);
  while (at + BLOCK_HEADER_BYTES <= file.sizeBytes) {
    if (at < start || at + BLOCK_HEADER_BYTES > start + chunk.length) {
      start = at;
      chunk = readable(file, start, CHUNK_BYTES);
    }
    const hit = chunk.indexOf(MAGIC, at - start);
    if (hit < 0 || hit + BLOCK_HEADER_BYTES > chunk.length) {
      // The magic may begin in this chunk and the header end in the next.
      at = hit < 0 ? Math.max(at + 1, start + chunk.length - MAGIC.length + 1) : start + hit;
      if (hit >= 0 && start === at) at++;
      continue;
    }
    at = start + hit;
    const found = blockAt(file, chunk.subarray(hit, hit + BLOCK_HEADER_BYTES), at);
    if (found !== null) yield found;
    at += found?.length ?? MAGIC.length;
  }
}

/** The bytes, with zeros where the disk cannot read them. */
function readable(file: LmdbFile, offset: number, length: number): Buffer {
  try {
    return file.read(offset, length);
  } catch {
    const bytes = Buffer.alloc(Math.min(length, file.sizeBytes - offset));
    for (let at = 0; at < bytes.length; at += file.pageBytes) {
      try {
        file.read(offset + at, Math.min(file.pageBytes, bytes.length - at)).copy(bytes, at);
      } catch {
        // stays zero
      }
    }
    return bytes;
  }
}

function blockAt(file: LmdbFile, header: Buffer, offset: number): FoundBlock | null {
  const { first, next, sizeBytes: length } = readBlockInfo(header);
  const plausible =
    header.readUInt16LE(4) <= BLOCK_VERSION &&
    header.readUInt16LE(6) === BLOCK_HEADER_BYTES &&
    length > BLOCK_HEADER_BYTES &&
    length <= MAX_BLOCK_BYTES &&
    offset + length <= file.sizeBytes &&
    Number.isSafeInteger(first) &&
    first >= 0 &&
    next > first &&
    Number.isSafeInteger(next);
  if (!plausible) return null;
  try {
    openBlock(file.read(offset, length), first);
  } catch {
    return null;
  }
  return { first, next, offset, length, transaction: transactionOf(file, offset) };
}

function transactionOf(file: LmdbFile, offset: number): number {
  const number = Math.floor(offset / file.pageBytes);
  const header = file.read(number * file.pageBytes, PAGE_HEADER_BYTES);
  const inTree = (header.readUInt16LE(18) & (PAGE_LEAF | PAGE_OVERFLOW)) !== 0;
  return inTree && u64(header, 0) === number ? u64(header, 8) : 0;
}

/**
 * The blocks that lie within a wanted span, in the order of their positions. Where several blocks have the same
 * positions, the one that was written last is taken.
 */
export function newestBlocks(
  found: Iterable<FoundBlock>,
  wanted: readonly { from: number; to: number }[],
): FoundBlock[] {
  const candidates = [...found].filter(({ first, next }) =>
    wanted.some(({ from, to }) => first >= from && next <= to),
  );
  candidates.sort((a, b) => b.transaction - a.transaction || b.offset - a.offset);
  const taken: FoundBlock[] = [];
  for (const block of candidates) {
    let low = 0;
    for (let high = taken.length; low < high;) {
      const middle = (low + high) >>> 1;
      if ((taken[middle]?.first ?? 0) < block.first) low = middle + 1;
      else high = middle;
    }
    const clear = (taken[low - 1]?.next ?? 0) <= block.first && (taken[low]?.first ?? Infinity) >= block.next;
    if (clear) taken.splice(low, 0, block);
  }
  return taken;
}
