/** Wakes who waits. A ring while nobody waits ends the next wait at once, so that none is lost. */
export class Bell {
  #rung = false;
  #answer: (() => void) | null = null;

  ring(): void {
    this.#rung = true;
    this.#answer?.();
  }

  /** Waits for a ring, or for `ms` at most. One may wait at a time. */
  wait(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? null : setTimeout(() => this.ring(), ms);
      this.#answer = () => {
        if (timer !== null) clearTimeout(timer);
        this.#answer = null;
        this.#rung = false;
        resolve();
      };
      if (this.#rung) this.#answer();
    });
  }
}
