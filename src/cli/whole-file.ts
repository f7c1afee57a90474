import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { MillraceError, messageOf } from '../core/index.ts';

const BUFFER_BYTES = 1024 * 1024;

/**
 * A file that appears under its name when it is whole and on disk, or not at all: written beside it under a
 * temporary name, which stays behind when the process is killed.
 */
export class WholeFile {
  readonly #path: string;
  readonly #draft: string;
  readonly #overwrite: boolean;
  readonly #fd: number;
  #waiting: string[] = [];
  #waitingLength = 0;

  /** Throws `output_unwritable`, also for a file that is there already, unless it may be overwritten. */
  constructor(path: string, overwrite: boolean) {
    this.#path = resolve(path);
    this.#draft = `${this.#path}.${process.pid}.part`;
    this.#overwrite = overwrite;
    if (!overwrite && existsSync(this.#path)) throw taken(path);
    this.#fd = this.#try(() => openSync(this.#draft, 'wx', 0o600));
  }

  write(text: string): void {
    this.#waiting.push(text);
    this.#waitingLength += text.length;
    if (this.#waitingLength >= BUFFER_BYTES) this.#flush();
  }

  /** Gives the file its name. */
  finish(): void {
    this.#flush();
    this.#try(() => {
      fsyncSync(this.#fd);
      closeSync(this.#fd);
      if (this.#overwrite) renameSync(this.#draft, this.#path);
      else {
        linkSync(this.#draft, this.#path);
        rmSync(this.#draft);
      }
      const folder = openSync(dirname(this.#path), constants.O_RDONLY);
      fsyncSync(folder);
      closeSync(folder);
    });
  }

  /** Leaves nothing. */
  discard(): void {
    rmSync(this.#draft, { force: true });
  }

  #flush(): void {
    const bytes = Buffer.from(this.#waiting.join(''));
    this.#waiting = [];
    this.#waitingLength = 0;
    for (let at = 0; at < bytes.length;) at += this.#try(() => writeSync(this.#fd, bytes, at));
  }

  #try<T>(call: () => T): T {
    try {
      return call();
    } catch (cause) {
      const message = `cannot write ${this.#path}: ${messageOf(cause)}`;
      throw new MillraceError('output_unwritable', message, { cause });
    }
  }
}

function taken(path: string): MillraceError {
  return new MillraceError('output_unwritable', `${path} is there already: add --force to overwrite it`);
}
