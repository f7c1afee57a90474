interface Flush {
  /** How many batches must be on disk. */
  batches: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** Who waits until everything that was taken so far is on disk; batches get there in the order of their opening. */
export class Flushes {
  #opened = 0;
  #durable = 0;
  #waiting: Flush[] = [];

  /** True when nothing is to be waited for. */
  get done(): boolean {
    return this.#durable === this.#opened;
  }

  opened(): void {
    this.#opened++;
  }

  wait(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#waiting.push({ batches: this.#opened, resolve, reject });
    });
  }

  durable(batches: number): void {
    this.#durable += batches;
    while ((this.#waiting[0]?.batches ?? Number.POSITIVE_INFINITY) <= this.#durable) {
      this.#waiting.shift()?.resolve();
    }
  }

  /** All batches that are opened and not on disk are lost. */
  fail(error: unknown): void {
    this.#durable = this.#opened;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
