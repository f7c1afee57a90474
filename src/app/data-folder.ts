import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { open } from 'lmdb';
import { MillraceError, messageOf, systemCodeOf } from '../core/index.ts';

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
    writeFileSync(join(root, 'format'), `${FORMAT}\n`);
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
  const release = takeLock(join(root, 'lock.lmdb'), root);
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

/** Whom the lock names. */
interface Owner {
  pid: number;
  started: string;
  /** Device and inode of the folder: a copy of it is in nobody's use, whatever it says. */
  folder?: string;
}

/**
 * The lock names its process by id and start time, so that after a crash or a reboot another process that
 * got the same id does not look like the owner. Whether the owner lives is asked, and the own name put in its
 * place, inside one write transaction of lmdb: its mutex is the system's and ends with its process, so that of
 * many starts at once on a stale lock exactly one wins. The file stays: a lock that is removed can be a
 * newer one than was looked at. It stays open for as long as the folder is held: who closes it last takes lmdb's
 * mutex apart, and must not do so under another start.
 */
function takeLock(file: string, root: string): () => void {
  const { dev, ino } = statSync(root);
  const folder = `${dev}:${ino}`;
  const me: Owner = { pid: process.pid, started: startTime(process.pid), folder };
  checkLockFile(file);
  const database = open<Owner, string>({ path: file, encoding: 'json', overlappingSync: false });
  const close = (): void => void database.close();
  try {
    database.transactionSync(() => {
      const owner = database.get('owner');
      const here = owner !== undefined && (owner.folder ?? folder) === folder;
      if (here && isAlive(owner.pid) && startTime(owner.pid) === owner.started) {
        throw new MillraceError('data_dir_in_use', `process ${owner.pid} uses the data folder ${root}`);
      }
      database.putSync('owner', me);
    });
  } catch (error) {
    close();
    throw error;
  }
  return () => {
    try {
      database.transactionSync(() => {
        const owner = database.get('owner');
        if (owner?.pid === me.pid && owner.started === me.started) database.removeSync('owner');
      });
    } catch {
      // On a full disk the name stays, and stands in nobody's way once this process has ended.
    } finally {
      close();
    }
  };
}

/** lmdb ends the process when it is given a file that it cannot use. */
function checkLockFile(file: string): void {
  if (!existsSync(file) || statSync(file).size === 0) return;
  const start = readFileSync(file).subarray(0, LMDB_MAGIC_OFFSET + 4);
  if (start.length < LMDB_MAGIC_OFFSET + 4 || start.readUInt32LE(LMDB_MAGIC_OFFSET) !== LMDB_MAGIC) {
    throw new Error(`${file} is damaged: remove it while no server runs`);
  }
}

/** Of the first page: behind lmdb-js's page header of 24 bytes comes the magic number of lmdb. */
const LMDB_MAGIC = 0xbeefc0de;
const LMDB_MAGIC_OFFSET = 24;

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCodeOf(error) === 'EPERM';
  }
}

/** Ticks from boot to the process's start where the system tells (Linux), else a constant. */
function startTime(pid: number): string {
  const stat = readIfThere(`/proc/${pid}/stat`);
  if (stat === null) return '-';
  // The command in parentheses may hold spaces; field 22 is the 20th behind it.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
