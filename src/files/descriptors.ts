import { closeSync, openSync, readFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { LIMITS, messageOf, MillraceError } from '../core/index.ts';

/** So many connections come between two looks at what the process has open, while there is plenty. */
const LOOK_EVERY = 16;

/** How many files and connections this process may have open; null where the system does not say. */
export function openFileLimit(): number | null {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

/** Throws `store_unavailable` when the process can open no file. */
export function requireDescriptor(): void {
  try {
    lowestFree();
  } catch (cause) {
    throw new MillraceError('store_unavailable', `no file can be opened: ${messageOf(cause)}`, { cause });
  }
}

/** The system gives the lowest number that is free: all below it are in use. Throws system errors. */
function lowestFree(): number {
  const descriptor = openSync(devNull, 'r');
  closeSync(descriptor);
  return descriptor;
}

/**
 * Whether connections leave the journal, the registry and the other processes the files that they need. A listener
 * that can take no connection for want of a number would be told of it without end.
 */
export class FileRoom {
  readonly limit: number | null;
  /** Numbers that no connection gets. */
  readonly reserve: number;
  #unlooked = 0;

  constructor(limit: number | null = openFileLimit()) {
    this.limit = limit;
    this.reserve = Math.min(LIMITS.reservedFiles, Math.floor((limit ?? 0) / 4));
  }

  /** What keeps so many connections from being open at once, in words; null when nothing does. */
  shortage(connections: number): string | null {
    if (this.limit === null || connections + this.reserve <= this.limit) return null;
    const need = `max-connections is ${connections} and the server itself keeps ${this.reserve}`;
    return `this process may have ${this.limit} files and connections open, but ${need}: raise the limit (ulimit -n) or lower max-connections`;
  }

  /** Whether one more connection may stay. Asked once for each that comes. */
  readonly hasRoom = (): boolean => {
    if (this.limit === null || this.#unlooked-- > 0) return true;
    const free = this.#free(this.limit);
    this.#unlooked = Math.min(LOOK_EVERY, free) - 1;
    return free > 0;
  };

  #free(limit: number): number {
    try {
      return limit - this.reserve - lowestFree();
    } catch {
      return 0;
    }
  }
}
