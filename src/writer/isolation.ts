/**
 * How many frames a batch may have while batches fail as a whole, so that one that will never be taken costs itself
 * alone. Frames of a batch that failed are tried by halves, and once one half is taken the other is known to hold the
 * frame at fault. Behind it a batch may have twice as many frames after each that is taken. Finding one bad frame
 * among n takes some log2(n) failures, and it always ends.
 */
export class Isolation {
  #maxFrames = Infinity;
  /** A frame before this position is at fault, unless all of them were taken meanwhile. */
  #end: number;

  /** `suspectedTo`: a batch that ended here failed before; 0 for none. */
  constructor(suspectedTo = 0) {
    this.#end = suspectedTo;
  }

  /** Whether a frame from `first` on is known to be at fault. */
  isSearching(first: number): boolean {
    return first < this.#end;
  }

  /** Frames at most of a batch that begins at `first`. */
  maxFramesFrom(first: number): number {
    return this.isSearching(first)
      ? Math.min(this.#maxFrames, Math.ceil((this.#end - first) / 2))
      : this.#maxFrames;
  }

  /** A batch of the frames [first, next), more than one, failed. */
  failed(first: number, next: number): void {
    this.#maxFrames = Math.ceil((next - first) / 2);
    this.#end = next;
  }

  /** The store has taken a batch, or one frame of it is a dead letter. */
  taken(): void {
    this.#maxFrames *= 2;
  }
}
