import { mkdirSync, readFileSync, rmSync, writeFileSync, linkSync } from 'node:fs';
import { join, resolve } from 'node:path';
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
  const lockFile = join(root, 'lock');
  try {
    mkdirSync(root, { recursive: true });
    checkVersion(join(root, 'format'));
    takeLock(lockFile, root);
    writeFileSync(join(root, 'format'), `${FORMAT}\n`);
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw new MillraceError(
      'data_dir_unwritable',
      `cannot use the data folder ${root}: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
  return { path: (name) => join(root, name), release: () => rmSync(lockFile, { force: true }) };
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
 * The lock names its process by id and start time, so that after a crash or a reboot another process that
 * got the same id does not look like the owner. It appears whole or not at all: written aside, then linked.
 */
function takeLock(lockFile: string, root: string): void {
  const mine = `${process.pid} ${startTime(process.pid)}\n`;
  const draft = `${lockFile}.${process.pid}`;
  writeFileSync(draft, mine);
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        linkSync(draft, lockFile);
        return;
      } catch (error) {
        if (systemCodeOf(error) !== 'EEXIST') throw error;
      }
      const [pid = '', started = ''] = (readIfThere(lockFile) ?? '').trim().split(' ');
      const alive = isAlive(Number(pid)) && startTime(Number(pid)) === started;
      if (alive || attempt > 2) {
        throw new MillraceError('data_dir_in_use', `process ${pid} uses the data folder ${root}`);
      }
      rmSync(lockFile, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

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
