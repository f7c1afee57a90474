import { constants, closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryLock } from 'fs-native-extensions';
import { MillraceError, steadyClock } from '../core/index.ts';
import { OpenFiles } from '../files/index.ts';

const POLL_MS = 10;

/** A lock that is held. */
export interface FileLock {
  /** The open file: a process that inherits it holds the lock, too, for as long as it lives. */
  readonly file: number;
  /** Throws `data_dir_gone` when its path leads to another file by now, which somebody else can lock. */
  look(): void;
  release(): void;
}

/**
 * Locks the file, made when it is not there, until it is released. The lock is the system's, on an open file: it
 * ends with the process however that ends, so that none is ever stale, and it holds between containers that share the
 * folder. The file's content only says who has it. Throws `data_dir_in_use` with `what` its owner does, and system errors.
 */
export function lockFile(path: string, what: string): FileLock {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    if (!tryLock(file)) throw new MillraceError('data_dir_in_use', `${ownerOf(path)} ${what}`);
  } catch (error) {
    closeSync(file);
    throw error;
  }
  writeOwner(file, `${process.pid}\n`);
  const files = new OpenFiles([path]);
  return {
    file,
    look: () => files.look(),
    release: () => {
      writeOwner(file, '');
      closeSync(file);
    },
  };
}

/** The same for a lock whose owner may be about to end: waits for `ms` at most. */
export async function waitForLock(path: string, what: string, ms: number): Promise<FileLock> {
  const untilMs = steadyClock.nowMs() + ms;
  for (;;) {
    try {
      return lockFile(path, what);
    } catch (error) {
      const held = error instanceof MillraceError && error.code === 'data_dir_in_use';
      if (!held || steadyClock.nowMs() >= untilMs) throw error;
    }
    await sleep(POLL_MS);
  }
}

function ownerOf(path: string): string {
  const pid = readFileSync(path, 'utf8').trim();
  return pid === '' ? 'another process' : `process ${pid}`;
}

function writeOwner(file: number, owner: string): void {
  try {
    ftruncateSync(file);
    writeSync(file, owner, 0);
  } catch {
    // On a full disk nobody is named; the lock holds all the same.
  }
}
