import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { systemCodeOf } from '../core/index.ts';

/**
 * Makes a folder, and those above it that are missing; one that is there stays. Throws system errors. Node's own
 * recursive way tries for ever where the system says of a child of an existing folder that there is no such folder, as
 * in /proc.
 */
export function makeFolder(path: string): void {
  const folder = resolve(path);
  if (isFolder(folder)) return;
  try {
    mkdirSync(folder);
  } catch (error) {
    // Somebody else made it meanwhile.
    if (isFolder(folder)) return;
    const above = dirname(folder);
    if (systemCodeOf(error) !== 'ENOENT' || isFolder(above)) throw error;
    makeFolder(above);
    mkdirSync(folder);
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
