import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCodeOf } from '../../../src/core/index.ts';
import { temporaryFolder } from '../../fixtures/folder.ts';

/** A tmpfs of its own that can be filled up and emptied again. */
export interface SmallDisk {
  /** A folder on it. */
  path: string;
  /** Takes all space but `leftBytes`. */
  fill(leftBytes: number): void;
  /** Gives the space back. */
  free(): void;
  remove(): void;
}

/** Null where this user may not mount. */
export function mountSmallDisk(sizeBytes: number): SmallDisk | null {
  const folder = temporaryFolder();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', folder.path]);
  if (mounted.status !== 0) {
    folder.remove();
    return null;
  }
  const path = join(folder.path, 'data');
  mkdirSync(path);
  const ballast = join(folder.path, 'ballast');
  return {
    path,
    fill(leftBytes) {
      // Whoever else writes there meanwhile may have taken some of what was free.
      for (let tries = 1; ; tries++) {
        const { bavail, bsize } = statfsSync(folder.path);
        try {
          writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)));
          return;
        } catch (error) {
          rmSync(ballast, { force: true });
          if (systemCodeOf(error) !== 'ENOSPC' || tries === 20) throw error;
        }
      }
    },
    free: () => rmSync(ballast, { force: true }),
    remove() {
      // Lazily: a process that is still dying may have files open.
      spawnSync('umount', ['--lazy', folder.path]);
      folder.remove();
    },
  };
}

/**
 * Lets no file of a running process grow beyond `maxBytes`, or lifts that again. Real writes fail then, with EFBIG.
 * False where there is no `prlimit`.
 */
export function limitFileSize(pid: number, maxBytes: number | 'unlimited'): boolean {
  // Only the soft limit: the hard one could not be raised again.
  return spawnSync('prlimit', ['--pid', String(pid), `--fsize=${maxBytes}:`]).status === 0;
}

/** Lets a running process open no more files than these, as long as they are less than what it has. False where there is no `prlimit`. */
export function limitFiles(pid: number, most: number): boolean {
  return spawnSync('prlimit', ['--pid', String(pid), `--nofile=${most}:`]).status === 0;
}
