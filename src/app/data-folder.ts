import { constants, closeSync, existsSync, ftruncateSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { readFileSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { tryLock } from 'fs-native-extensions';
import { MillraceError, messageOf } from '../core/index.ts';

/** The layout of the data folder; a higher number on disk was written by a newer version. */
const FORMAT = 1;

/** A data folder that this process alone uses until `release`. */
export interface DataFolder {
  /** Absolute path of something inside. */
  path(name: string): string;
  release(): void;
}

/**
 * Creates the folder if needed, checks its version and locks it. Throws `data_dir_unwritable`,
 * `data_dir_in_use` or `data_dir_version`, and has changed nothing then.
 */
export function openDataFolder(dir: string): DataFolder {
  const root = resolve(dir);
  return usable(root, () => {
    mkdirSync(root, { recursive: true });
    const folder = lock(root);
    const format = join(root, 'format');
    // Not written again at each start: on a full disk that would fail and leave an empty file.
    if (Number(readIfThere(format)) !== FORMAT) writeFileSync(format, `${FORMAT}\n`);
    return folder;
  });
}

/** The same for a folder that is there already, and without changing anything in it but the lock. */
export function lockDataFolder(dir: string): DataFolder {
  const root = resolve(dir);
  return usable(root, () => {
    if (!existsSync(root)) throw new Error('there is no such folder');
    return lock(root);
  });
}

function usable(root: string, take: () => DataFolder): DataFolder {
  try {
    return take();
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    const message = `cannot use the data folder ${root}: ${messageOf(cause)}`;
    throw new MillraceError('data_dir_unwritable', message, { cause });
  }
}

function lock(root: string): DataFolder {
  checkVersion(join(root, 'format'));
  const release = takeLock(join(root, 'lock'), root);
  return { path: (name) => join(root, name), release };
}

function checkVersion(file: string): void {
  const text = readIfThere(file);
  if (text !== null && Number(text) > FORMAT) {
    throw new MillraceError(
      'data_dir_version',
      `the data folder has format ${text.trim()}, this version knows up to ${FORMAT}`,
    );
  }
}

/**
 * The lock is the system's, on an open file: it ends with the process however that ends, so that none is ever
 * stale, and it holds between containers that share the folder. The file's content only says who has it.
 */
function takeLock(file: string, root: string): () => void {
  const lockFile = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    if (!tryLock(lockFile)) {
      const owner = readIfThere(file)?.trim();
      const who = owner === undefined || owner === '' ? 'another process' : `process ${owner}`;
      throw new MillraceError('data_dir_in_use', `${who} uses the data folder ${root}`);
    }
  } catch (error) {
    closeSync(lockFile);
    throw error;
  }
  writeOwner(lockFile, `${process.pid}\n`);
  return () => {
    writeOwner(lockFile, '');
    closeSync(lockFile);
  };
}

function writeOwner(lockFile: number, owner: string): void {
  try {
    ftruncateSync(lockFile);
    writeSync(lockFile, owner, 0);
  } catch {
    // On a full disk nobody is named; the lock holds all the same.
  }
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
