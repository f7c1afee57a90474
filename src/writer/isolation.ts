/**
 * How many frames a batch may have while the store refuses batches as a whole, so that one that it will never take
 * costs itself alone: half as many after each refusal, down to one; twice as many after each batch that is taken.
 * Finding one bad frame among n costs some 3 log2(n) writes of 7 n frames together, and it always ends.
 */
export class Isolation {
  #maxFrames = Infinity;

  /** Frames of the next batch at most. */
  get maxFrames(): number {
    return this.#maxFrames;
  }

  /** The store refused a batch of so many frames, more than one. */
  refused(frames: number): void {
    this.#maxFrames = Math.ceil(frames / 2);
  }

  /** It has taken a batch, or one frame of it is a dead letter. */
  taken(): void {
    this.#maxFrames *= 2;
  }
}
