/** Counts what happens within one turn of the event loop. */
export class TurnCount {
  #count = 0;

  /** One more: how many there were in this turn, with it. */
  next(): number {
    if (this.#count === 0) {
      setImmediate(() => {
        this.#count = 0;
      });
    }
    this.#count += 1;
    return this.#count;
  }
}
