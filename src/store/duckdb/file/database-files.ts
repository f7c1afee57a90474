import { statSync } from 'node:fs';
import { OpenFiles } from '../../../files/index.ts';

/**
 * A database file and its write-ahead log, by where they are to be found. The log comes and goes: DuckDB makes it with
 * the first commit after a checkpoint, and a checkpoint removes it.
 */
export class DatabaseFiles {
  readonly #database: OpenFiles;
  readonly #log: string;
  /** The log's inode when it was last looked for; null when there was none. */
  #logInode: bigint | null = null;

  /** To be made while the database is open. Throws system errors. */
  constructor(file: string) {
    this.#database = new OpenFiles([file]);
    this.#log = `${file}.wal`;
  }

  /** Throws `data_dir_gone` for the database file. */
  look(): void {
    this.#database.look();
  }

  /** Whether a commit since the last time is known to be in a log that the next start finds. */
  logIsWhereItWas(): boolean {
    const before = this.#logInode;
    this.#logInode = statSync(this.#log, { bigint: true, throwIfNoEntry: false })?.ino ?? null;
    return this.#logInode !== null && (before === null || this.#logInode === before);
  }
}
