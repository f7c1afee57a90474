import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { makeFolder } from '../../../files/index.ts';
import { LmdbFile, META_PAGES } from './lmdb-file.ts';
import { verifyFile } from './verify-file.ts';

/** The journal's lmdb environment, open. */
export interface Environment {
  root: RootDatabase;
  meta: Database<unknown, string>;
  openDB<V, K extends string | number>(name: string, encoding: 'binary' | 'json'): Database<V, K>;
}

export const DATA_FILE = 'journal.lmdb';

/** Paths of the files that an open environment in `dir` has. */
export function filesIn(dir: string): string[] {
  const path = join(dir, DATA_FILE);
  return [path, `${path}-lock`];
}

/**
 * Opens the environment in `dir` without writing to it, making the file with `fill` when there is none. A file
 * that lmdb could not use without ending the process is refused with `journal_corrupt`. `mapBytes` is address
 * space, not disk: reserved once, so that growing need not map anew while readers look at it.
 */
export function openEnvironment(
  dir: string,
  mapBytes: number,
  fill: (environment: Environment) => void,
): Environment {
  const path = join(dir, DATA_FILE);
  makeFolder(dir);
  if (!existsSync(path)) create(dir, path, mapBytes, fill);
  verifyFile(path);
  return openPath(path, mapBytes);
}

/** Opens an environment that another process keeps, and has looked through, for reading alone. */
export function openToRead(dir: string, mapBytes: number): Environment {
  return openPath(join(dir, DATA_FILE), mapBytes, true);
}

/** A journal appears under its name when it is whole, so that an empty file is never a new one. */
function create(dir: string, path: string, mapBytes: number, fill: (environment: Environment) => void): void {
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  const environment = openPath(draft, mapBytes);
  try {
    fill(environment);
  } finally {
    // Nothing is under way, so this closes at once.
    void environment.root.close();
  }
  renameSync(draft, path);
  rmSync(`${draft}-lock`, { force: true });
  // lmdb syncs its file, but a new file's name is only on disk when its folder is.
  syncFolder(dir);
  syncFolder(dirname(resolve(dir)));
}

function openPath(path: string, mapBytes: number, readOnly = false): Environment {
  const root = open({
    path,
    // A commit resolves after fdatasync of the data and a synchronous write of lmdb's meta page, and a
    // failure of either rejects it. With overlapping sync a failed sync would leave a promise for ever.
    overlappingSync: false,
    // Otherwise lmdb-js makes a promise of its own per event turn, whose rejection nobody can catch.
    eventTurnBatching: false,
    mapSize: mapBytes,
    maxDbs: 8,
    readOnly,
  });
  try {
    return {
      root,
      meta: root.openDB('meta', { encoding: 'json', useVersions: true }),
      openDB: (name, encoding) => root.openDB(name, { encoding }),
    };
  } catch (error) {
    void root.close();
    throw error;
  }
}

/**
 * Makes the disk hold the meta pages that the system's memory holds. After a meta page's write has failed the
 * two may differ: lmdb put the old one back in memory, but the disk may have got the new one, whose pages the
 * next transaction takes for free and overwrites. Call it inside a write transaction, so that no other process
 * commits meanwhile. Throws when the disk still refuses.
 */
export function settleMetaPages(dir: string): void {
  const path = join(dir, DATA_FILE);
  const lmdb = new LmdbFile(path);
  lmdb.close();
  const file = openSync(path, constants.O_RDWR);
  try {
    const bytes = Buffer.alloc(META_PAGES * lmdb.pageBytes);
    const length = readSync(file, bytes, 0, bytes.length, 0);
    if (writeSync(file, bytes, 0, length, 0) !== length) throw new Error('the meta pages cannot be written');
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Lets the file grow by so many bytes, syncs them and takes them back. Throws with the system's reason where it may not.
 * lmdb is not asked for this as long as it would fail: its message about a write that failed is longer than the memory
 * that it has for it (100 bytes), and the heap is damaged then.
 */
export function probeFile(dir: string, bytes: number): void {
  const file = openSync(join(dir, DATA_FILE), constants.O_RDWR);
  try {
    const { size } = fstatSync(file);
    const zeros = Buffer.alloc(bytes);
    try {
      for (let at = 0; at < bytes;) at += writeSync(file, zeros, at, bytes - at, size + at);
      fdatasyncSync(file);
    } finally {
      ftruncateSync(file, size);
    }
  } finally {
    closeSync(file);
  }
}

function syncFolder(dir: string): void {
  const folder = openSync(dir, constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
