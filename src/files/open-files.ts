import { statSync } from 'node:fs';
import { messageOf, MillraceError, systemCodeOf } from '../core/index.ts';

/** What tells a file from every other: a copy under the same name is another one. */
interface Identity {
  path: string;
  device: bigint;
  inode: bigint;
}

/**
 * Files that are open, by where they are to be found. A file that was deleted, moved or replaced can be written and
 * synced as before; only the next start does not find what was written. Nothing is opened here, because closing any
 * descriptor of a file would end the locks that lmdb and DuckDB hold on it.
 */
export class OpenFiles {
  readonly #files: readonly Identity[];

  /** To be made while the files are open. Throws system errors. */
  constructor(paths: readonly string[]) {
    this.#files = paths.map(identityOf);
  }

  /** Throws `data_dir_gone` when a path does not lead to the file any more that it led to. */
  look(): void {
    for (const file of this.#files) {
      const { device, inode } = found(file.path);
      if (device === file.device && inode === file.inode) continue;
      throw new MillraceError('data_dir_gone', `${file.path} is another file than the one in use`);
    }
  }
}

function identityOf(path: string): Identity {
  const { dev, ino } = statSync(path, { bigint: true });
  return { path, device: dev, inode: ino };
}

function found(path: string): Identity {
  try {
    return identityOf(path);
  } catch (cause) {
    const missing = ['ENOENT', 'ENOTDIR'].includes(systemCodeOf(cause) ?? '');
    const what = missing ? 'was deleted or moved away while it is in use' : messageOf(cause);
    throw new MillraceError('data_dir_gone', `${path}: ${what}`, { cause });
  }
}
