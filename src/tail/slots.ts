/** At most `count` holders at once; the others wait in order. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Resolves with the way to give the slot back, or null when `signal` fired first. */
  async acquire(signal: AbortSignal): Promise<(() => void) | null> {
    if (signal.aborted) return null;
    if (this.#free > 0) {
      this.#free -= 1;
      return () => this.#release();
    }
    return await new Promise((resolve) => {
      const abandon = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(granted), 1);
        resolve(null);
      };
      const granted = (): void => {
        signal.removeEventListener('abort', abandon);
        resolve(() => this.#release());
      };
      signal.addEventListener('abort', abandon, { once: true });
      this.#waiting.push(granted);
    });
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
