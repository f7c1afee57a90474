import { MillraceError } from '../../../core/index.ts';
import { LmdbFile, type LmdbTree } from './lmdb-file.ts';
import { namedTrees, PageSet, walkTree } from './lmdb-tree.ts';

/** How long the trees are walked at most when the file has its full size, in milliseconds. */
const WALK_MS = 500;
/** Another process may be writing: then what was read is no snapshot, and it is read again. */
const TRIES = 3;

/**
 * Looks at the journal's data file before lmdb maps it: both meta pages, the size that they ask for, and the
 * trees, newest blocks first, as far as `WALK_MS` allows; when pages are missing at the end, all of them. The
 * checksums of blocks are not part of it. Throws `journal_corrupt` that says what is wrong and what to do, and the
 * system's error where the disk does not read.
 */
export function verifyFile(path: string): void {
  for (let attempt = 1; ; attempt++) {
    const file = new LmdbFile(path);
    try {
      const transaction = file.metas[0]?.transaction;
      const fault = faultOf(file);
      if (fault === null) return;
      const again = new LmdbFile(path);
      again.close();
      if (attempt === TRIES || again.metas[0]?.transaction === transaction) throw corrupt(file, fault);
    } finally {
      file.close();
    }
  }
}

/** Bytes that the newest meta page speaks of; null without one. The last pages may be free and not written. */
export function expectedBytes(file: LmdbFile): number | null {
  const meta = file.metas[0];
  return meta === undefined ? null : meta.pages * file.pageBytes;
}

function faultOf(file: LmdbFile): string | null {
  const meta = file.metas[0];
  if (file.sizeBytes === 0) return 'the file is empty';
  if (meta === undefined) return 'it does not begin as an lmdb file';
  if (file.metaFaults.length > 0) return file.metaFaults.join('; ');
  const expected = meta.pages * file.pageBytes;
  const short = file.sizeBytes < expected;
  // lmdb does not write pages that a transaction took and gave back, so only pages in use tell.
  const faults = structureFaults(file, meta.free, meta.main, short ? Infinity : WALK_MS);
  if (faults.length === 0) return null;
  const what = short
    ? `the file has ${file.sizeBytes} bytes of the ${expected} that its meta page speaks of, and pages in use are missing: `
    : '';
  return what + faults.join('; ');
}

/** At most so many are told. */
const MAX_FAULTS = 5;

function structureFaults(file: LmdbFile, free: LmdbTree, main: LmdbTree, maxMs: number): string[] {
  const endMs = performance.now() + maxMs;
  const faults: string[] = [];
  const seen = new PageSet(file.pages);
  const trees: { name: string; tree: LmdbTree }[] = [{ name: 'free pages', tree: free }];
  for (const found of namedTrees(file, main, { seen, throwReadErrors: true })) {
    if ('name' in found) trees.push(found);
    else faults.push(found.fault);
  }
  // The blocks last: they are most of the pages, and the newest of them are what opening reads.
  trees.sort((a, b) => Number(a.name === 'blocks') - Number(b.name === 'blocks'));
  for (const { name, tree } of trees) {
    for (const entry of walkTree(file, tree, { seen, reverse: true, throwReadErrors: true })) {
      if (entry.fault !== null) faults.push(`in ${name}, ${entry.fault}`);
      if (faults.length >= MAX_FAULTS || performance.now() > endMs) return faults;
    }
  }
  return faults;
}

function corrupt(file: LmdbFile, fault: string): MillraceError {
  return new MillraceError(
    'journal_corrupt',
    `the journal ${file.path} is damaged: ${fault}. Nothing was changed. ` +
      '"millrace journal check" tells what can be read, "millrace journal export" saves it',
  );
}
