import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MillraceError, messageOf } from '../core/index.ts';
import { makeFolder } from '../files/index.ts';
import { lockFile, waitForLock, type FileLock } from './file-lock.ts';

/** The layout of the data folder; a higher number on disk was written by a newer version. */
const FORMAT = 1;

/** A data folder that this process alone uses until `release`. */
export interface DataFolder {
  /** Absolute path of something inside. */
  path(name: string): string;
  /** Throws `data_dir_gone` when the folder at this path is another one by now, or none. */
  look(): void;
  release(): void;
}

/**
 * Creates the folder if needed, checks its version and locks it. Throws `data_dir_unwritable`,
 * `data_dir_in_use` or `data_dir_version`, and has changed nothing then.
 */
export function openDataFolder(dir: string): DataFolder {
  const root = resolve(dir);
  return usable(root, () => {
    makeFolder(root);
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
  } catch (error) {
    return unusable(root, error);
  }
}

function unusable(root: string, cause: unknown): never {
  if (cause instanceof MillraceError) throw cause;
  const message = `cannot use the data folder ${root}: ${messageOf(cause)}`;
  throw new MillraceError('data_dir_unwritable', message, { cause });
}

function lock(root: string): DataFolder {
  checkVersion(join(root, 'format'));
  const held = lockFile(join(root, 'lock'), usesFolder(root));
  return { path: (name) => join(root, name), look: () => held.look(), release: () => held.release() };
}

/**
 * The folder's second lock, which a server shares with its writer process. It is taken before anything in the folder is
 * changed: it waits for the writer of a server that was killed, and keeps a second server out when the first lock's file
 * was deleted. Rejects with `data_dir_in_use`, after `ms`, or `data_dir_unwritable`.
 */
export async function lockForWriter(folder: DataFolder, ms: number): Promise<FileLock> {
  const root = folder.path('.');
  try {
    return await waitForLock(folder.path('writer.lock'), usesFolder(root), ms);
  } catch (error) {
    return unusable(root, error);
  }
}

function usesFolder(root: string): string {
  return `uses the data folder ${root}`;
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

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
