import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * An lmdb data file read as bytes, without lmdb: lmdb maps the file, so a page that is missing ends the process
 * (SIGBUS), and it trusts what pages say. Nothing here does; every offset is checked against the file.
 *
 * The format (mdb.c of lmdb-js 3, data version 2, little-endian): pages of equal size. A page begins with
 *
 *   offset size
 *        0    8  its own number
 *        8    8  the transaction that wrote it
 *       16    2  (only for fixed-size duplicates)
 *       18    2  flags: 1 branch, 2 leaf, 4 overflow, 8 meta
 *       20    2  branch and leaf: bytes of node pointers behind the header (two for each node)
 *       20    4  overflow: number of pages that belong together; the value fills them behind this header
 *
 * Pages 0 and 1 are meta pages, written in turn, the last thing that a transaction does; the one with the
 * higher transaction counts. Behind the header: u32 magic, u32 version, u64 address, u64 map size, the free
 * tree, the main tree, u64 last page used, u64 transaction. A tree (48 bytes): u32 (in the free tree: the
 * page size), u16 flags, u16 depth, u64 branch, leaf and overflow pages, u64 entries, u64 root page.
 */
export class LmdbFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly pageBytes: number;
  /** The meta pages that can be read, the newest first. */
  readonly metas: readonly LmdbMeta[];
  /** What is wrong with meta pages, one line each. */
  readonly metaFaults: readonly string[];
  readonly #fd: number;

  /** Opens it for reading, whatever is in it. Throws system errors. */
  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, 'r');
    try {
      this.sizeBytes = fstatSync(this.#fd).size;
      const found = findMetas((offset, length) => this.read(offset, length));
      this.pageBytes = found.pageBytes;
      this.metas = found.metas;
      this.metaFaults = found.faults;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whole pages in the file. */
  get pages(): number {
    return Math.floor(this.sizeBytes / this.pageBytes);
  }

  /** Bytes at an offset; fewer at the end of the file. Throws when the disk cannot read them. */
  read(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const count = readSync(this.#fd, bytes, filled, length - filled, offset + filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Bytes of a page's header. */
export const PAGE_HEADER_BYTES = 24;
export const PAGE_BRANCH = 1;
export const PAGE_LEAF = 2;
export const PAGE_OVERFLOW = 4;

export interface LmdbTree {
  depth: number;
  entries: number;
  /** Null for an empty tree. */
  root: number | null;
}

/** One meta page: the state of the file after a transaction. */
export interface LmdbMeta {
  page: number;
  transaction: number;
  /** Pages that the transaction knows of; the last ones may be free and not in the file. */
  pages: number;
  free: LmdbTree;
  main: LmdbTree;
}

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
export const META_PAGES = 2;
const META_BYTES = 136;
const TREE_BYTES = 48;
const NO_PAGE = 2n ** 64n - 1n;
const PAGE_SIZES = [4_096, 8_192, 16_384, 32_768, 65_536] as const;

interface Metas {
  pageBytes: number;
  metas: LmdbMeta[];
  faults: string[];
}

/** Without a meta page at any place where there could be one, pages are taken to be of the usual size. */
function findMetas(read: (offset: number, length: number) => Buffer): Metas {
  let none: Metas | null = null;
  for (const pageBytes of PAGE_SIZES) {
    const metas: LmdbMeta[] = [];
    const faults: string[] = [];
    for (let page = 0; page < META_PAGES; page++) {
      const found = parseMeta(read(page * pageBytes, PAGE_HEADER_BYTES + META_BYTES), page, pageBytes);
      if (typeof found === 'string') faults.push(`meta page ${page}: ${found}`);
      else metas.push(found);
    }
    none ??= { pageBytes, metas, faults };
    if (metas.length === 0) continue;
    metas.sort((a, b) => b.transaction - a.transaction);
    return { pageBytes, metas, faults };
  }
  return none ?? { pageBytes: PAGE_SIZES[0], metas: [], faults: [] };
}

/** The meta page, or what is wrong with it. */
function parseMeta(bytes: Buffer, page: number, pageBytes: number): LmdbMeta | string {
  if (bytes.length < PAGE_HEADER_BYTES + META_BYTES) return 'it is missing';
  const at = PAGE_HEADER_BYTES;
  if (bytes.readUInt32LE(at) !== MAGIC) return 'it has not the magic number';
  const version = bytes.readUInt32LE(at + 4) & 0xffff;
  if (version !== DATA_VERSION) return `it has data version ${version}, not ${DATA_VERSION}`;
  if (bytes.readBigUInt64LE(0) !== BigInt(page)) return 'it has the number of another page';
  if (bytes.readUInt32LE(at + 24) !== pageBytes) return `its page size is ${bytes.readUInt32LE(at + 24)}`;
  const free = parseTree(bytes.subarray(at + 24));
  const main = parseTree(bytes.subarray(at + 24 + TREE_BYTES));
  const pages = u64(bytes, at + 120) + 1;
  if ([free, main].some(({ root }) => root !== null && (root < META_PAGES || root >= pages))) {
    return 'it points to pages beyond its last one';
  }
  return { page, transaction: u64(bytes, at + 128), pages, free, main };
}

/** Reads a tree's record of 48 bytes. */
export function parseTree(bytes: Buffer): LmdbTree {
  const empty = bytes.readBigUInt64LE(40) === NO_PAGE;
  return {
    depth: bytes.readUInt16LE(6),
    entries: u64(bytes, 32),
    root: empty ? null : u64(bytes, 40),
  };
}

/** Numbers beyond 2^53 only come out of damage, and are then beyond every file too. */
export function u64(bytes: Buffer, offset: number): number {
  return Number(bytes.readBigUInt64LE(offset));
}
