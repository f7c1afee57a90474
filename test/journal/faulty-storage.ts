import type { Change, Storage } from '../../src/journal/local/lmdb/storage.ts';

/** Real files, whose next commits can be held back or made to fail, before or after they reach them. */
export class FaultyStorage implements Storage {
  readonly commits: Change[] = [];
  readonly epoch: string;
  /** How often the files were opened anew. */
  reopened = 0;
  probes = 0;
  readonly #files: Storage;
  #fault: Error | null = null;
  #afterwards = false;
  #reopenFault: Error | null = null;
  #gate: Promise<void> = Promise.resolve();

  constructor(files: Storage) {
    this.#files = files;
    this.epoch = files.epoch;
  }

  get state() {
    return this.#files.state;
  }

  /** Commits wait until the answer is called. */
  hold(): () => void {
    let release: (() => void) | undefined;
    this.#gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    return () => release?.();
  }

  /** Commits fail from now on; `afterwards`: the next one is on disk all the same. */
  failWith(fault: Error | null, afterwards = false): void {
    this.#fault = fault;
    this.#afterwards = afterwards;
  }

  failReopenWith(fault: Error | null): void {
    this.#reopenFault = fault;
  }

  async commit(change: Change): Promise<void> {
    this.commits.push(change);
    await this.#gate;
    if (this.#fault !== null) {
      if (this.#afterwards) await this.#files.commit(change);
      this.#afterwards = false;
      throw this.#fault;
    }
    await this.#files.commit(change);
  }

  blockAt(...args: Parameters<Storage['blockAt']>) {
    return this.#files.blockAt(...args);
  }
  infos(position: number) {
    return this.#files.infos(position);
  }
  snapshot() {
    return this.#files.snapshot();
  }
  cursors() {
    return this.#files.cursors();
  }
  outboxes() {
    return this.#files.outboxes();
  }
  contents(from: number) {
    return this.#files.contents(from);
  }
  letter(id: number) {
    return this.#files.letter(id);
  }
  lettersFrom(from: number) {
    return this.#files.lettersFrom(from);
  }
  letters(before: number, limit: number) {
    return this.#files.letters(before, limit);
  }
  async reopen() {
    this.reopened++;
    if (this.#reopenFault !== null) throw this.#reopenFault;
    await this.#files.reopen();
  }
  async probe(bytes: number) {
    this.probes++;
    if (this.#fault !== null) throw this.#fault;
    await this.#files.probe(bytes);
  }
  look() {
    this.#files.look();
  }
  forgetDeadReaders() {
    this.#files.forgetDeadReaders();
  }
  close() {
    return this.#files.close();
  }
}
