import { LIMITS, Rounds } from '../core/index.ts';
import { HeldBytes } from '../net/index.ts';

/**
 * What the connections of one process share, so that none of them holds up the others. The edge cannot stop reading a
 * WebSocket, and one read may hold a whole window. So a connection has so much of it taken in the turn in which it
 * comes, and the rest waits and is taken in rounds with what waits of others.
 */
export class FairShares {
  readonly rounds = new Rounds();
  /** Bytes of the frames that wait; whoever has most of them is cut first. */
  readonly waiting = new HeldBytes(
    LIMITS.waitingFrameBytes,
    'too_many_messages',
    'frames that wait to be taken',
  );
  #turn = 0;
  #turnEnds = false;
  #refusing = 0;

  constructor(waitingBytes: number = LIMITS.waitingFrameBytes) {
    this.waiting = new HeldBytes(waitingBytes, 'too_many_messages', 'frames that wait to be taken');
  }

  /** The number of this turn of the event loop. */
  get turn(): number {
    if (!this.#turnEnds) this.#begin();
    return this.#turn;
  }

  #begin(): void {
    this.#turnEnds = true;
    setImmediate(() => {
      this.#turnEnds = false;
      this.#turn++;
    });
  }

  /** A connection has refused frames that are not on disk: now, or no more. */
  refusing(begins: boolean): void {
    this.#refusing += begins ? 1 : -1;
  }

  /**
   * Frames that such a connection may have on their way to the disk. Each may become a dead letter, and whoever else
   * waits for the commit waits for all of them.
   */
  get mostOnTheirWay(): number {
    const { refusedOnTheirWay, refusedOfOne, refusedLeast } = LIMITS;
    return Math.max(refusedLeast, Math.min(refusedOfOne, Math.floor(refusedOnTheirWay / this.#refusing)));
  }
}
