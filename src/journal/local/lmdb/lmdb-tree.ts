import {
  type LmdbFile,
  type LmdbTree,
  PAGE_BRANCH,
  PAGE_HEADER_BYTES,
  PAGE_LEAF,
  PAGE_OVERFLOW,
  parseTree,
  u64,
} from './lmdb-file.ts';

/**
 * Nodes of a page: behind its header u16 pointers, counted from the header's end; each to u16 low and u16 high
 * half of a number, u16 flags, u16 key length, the key. In a branch page number and flags (as the top
 * 16 bits) are a page; in a leaf the number is the value's length, and the value follows the key or, with
 * flag 1, a record of u64 first overflow page, u64 transaction, u64 pages. Flag 2: the value is a tree.
 */
const NODE_HEADER_BYTES = 8;
const NODE_BIG = 1;
const NODE_TREE = 2;
/** lmdb's own bound. */
const MAX_DEPTH = 32;

/** A value in the file; `bytes` when it lies in its leaf page. */
export interface TreeEntry {
  key: Buffer;
  isTree: boolean;
  /** Offset of the value in the file, and its length. */
  offset: number;
  length: number;
  bytes: Buffer | null;
  /** What is wrong with the value's pages; null when nothing is. */
  fault: string | null;
}

/** A subtree that cannot be read: entries are missing. */
export interface TreeFault {
  page: number;
  fault: string;
}

/** Whether overflow pages are looked at, or only whether they are in the file. */
export interface WalkOptions {
  checkOverflow?: boolean;
  /** Pages seen, over all walks: a page in two places is a fault. */
  seen?: PageSet;
  /** From the last key to the first. */
  reverse?: boolean;
  /** A page that the disk does not read ends the walk with the system's error, which may pass, instead of a fault. */
  throwReadErrors?: boolean;
}

/** Which pages were seen: a bit each, since a file may have millions. */
export class PageSet {
  readonly #bits: Uint8Array;

  constructor(pages: number) {
    this.#bits = new Uint8Array(Math.ceil(pages / 8));
  }

  /** False when it was there already. */
  add(page: number): boolean {
    const index = page >>> 3;
    const bit = 1 << (page & 7);
    const before = this.#bits[index] ?? 0;
    this.#bits[index] = before | bit;
    return (before & bit) === 0;
  }
}

/** Entries of a tree in the order of their keys, past everything that is damaged, which is told. */
export function* walkTree(
  file: LmdbFile,
  tree: LmdbTree,
  options: WalkOptions = {},
): Generator<TreeEntry | TreeFault, void, undefined> {
  if (tree.root !== null)
    yield* walkPage(file, tree.root, 1, options, options.seen ?? new PageSet(file.pages));
}

/** The trees in the main tree by name; faults under the name "". */
export function* namedTrees(
  file: LmdbFile,
  main: LmdbTree,
  options: WalkOptions = {},
): Generator<{ name: string; tree: LmdbTree } | TreeFault, void, undefined> {
  for (const entry of walkTree(file, main, options)) {
    if (!('key' in entry)) yield entry;
    else if (entry.isTree && entry.bytes !== null && entry.bytes.length >= 48) {
      // lmdb-js ends names with a zero.
      const end = entry.key.indexOf(0);
      const name = entry.key.toString('latin1', 0, end < 0 ? entry.key.length : end);
      yield { name, tree: parseTree(entry.bytes) };
    }
  }
}

function* walkPage(
  file: LmdbFile,
  number: number,
  depth: number,
  options: WalkOptions,
  seen: PageSet,
): Generator<TreeEntry | TreeFault, void, undefined> {
  const fault = (what: string): TreeFault => ({ page: number, fault: `page ${number} ${what}` });
  if (number >= file.pages) {
    yield fault(`is missing: the file has only ${file.pages} pages`);
    return;
  }
  if (!seen.add(number)) {
    yield fault('is used twice');
    return;
  }
  let page: Buffer;
  try {
    page = file.read(number * file.pageBytes, file.pageBytes);
  } catch (error) {
    if (options.throwReadErrors === true) throw error;
    yield fault(`cannot be read: ${String(error)}`);
    return;
  }
  const flags = page.readUInt16LE(18) & (PAGE_BRANCH | PAGE_LEAF | PAGE_OVERFLOW);
  if (u64(page, 0) !== number || (flags !== PAGE_BRANCH && flags !== PAGE_LEAF) || depth > MAX_DEPTH) {
    yield fault('is not a page of a tree');
    return;
  }
  const count = page.readUInt16LE(20) >> 1;
  for (let i = 0; i < count; i++) {
    const node = nodeAt(page, options.reverse === true ? count - 1 - i : i);
    if (node === null) yield fault('has a node beyond its end');
    else if (flags === PAGE_BRANCH) {
      yield* walkPage(file, node.low + node.flags * 2 ** 32, depth + 1, options, seen);
    } else {
      const entry = leafEntry(file, page, number, node, options.checkOverflow === true);
      if (entry === null) yield fault('has a value beyond its end');
      else yield entry;
    }
  }
}

interface Node {
  low: number;
  flags: number;
  key: Buffer;
  /** Offset behind the key. */
  end: number;
}

function nodeAt(page: Buffer, index: number): Node | null {
  const pointer = PAGE_HEADER_BYTES + 2 * index;
  if (pointer + 2 > page.length) return null;
  const at = PAGE_HEADER_BYTES + page.readUInt16LE(pointer);
  if (at + NODE_HEADER_BYTES > page.length) return null;
  const keyEnd = at + NODE_HEADER_BYTES + page.readUInt16LE(at + 6);
  if (keyEnd > page.length) return null;
  return {
    low: page.readUInt32LE(at),
    flags: page.readUInt16LE(at + 4),
    key: page.subarray(at + NODE_HEADER_BYTES, keyEnd),
    end: keyEnd,
  };
}

function leafEntry(
  file: LmdbFile,
  page: Buffer,
  number: number,
  node: Node,
  checkOverflow: boolean,
): TreeEntry | null {
  const { key, low: length, end } = node;
  const isTree = (node.flags & NODE_TREE) !== 0;
  if ((node.flags & NODE_BIG) === 0) {
    if (end + length > page.length) return null;
    const bytes = page.subarray(end, end + length);
    return { key, isTree, offset: number * file.pageBytes + end, length, bytes, fault: null };
  }
  if (end + 24 > page.length) return null;
  const first = u64(page, end);
  const pages = u64(page, end + 16);
  const offset = first * file.pageBytes + PAGE_HEADER_BYTES;
  const fault = overflowFault(file, first, pages, length, checkOverflow);
  return { key, isTree, offset, length, bytes: null, fault };
}

function overflowFault(
  file: LmdbFile,
  first: number,
  pages: number,
  length: number,
  look: boolean,
): string | null {
  if (PAGE_HEADER_BYTES + length > pages * file.pageBytes) return 'its pages are fewer than its bytes need';
  if (first + pages > file.pages) {
    return `its pages ${first} to ${first + pages - 1} are missing: the file has only ${file.pages} pages`;
  }
  if (!look) return null;
  const header = file.read(first * file.pageBytes, PAGE_HEADER_BYTES);
  const isFirst = u64(header, 0) === first && (header.readUInt16LE(18) & PAGE_OVERFLOW) !== 0;
  return isFirst ? null : `page ${first} is not the first page of a value`;
}
