import { LIMITS, type MillraceError } from '../core/index.ts';
import type { ByteHolder } from '../net/index.ts';
import type { FairShares } from './fair-shares.ts';

/** Whose frames wait. */
export interface QueueOwner extends ByteHolder {
  /** Whether a frame may be taken now. */
  readonly takes: boolean;
  /** Takes a frame that came at `atMs`. */
  take(bytes: Uint8Array, atMs: number): void;
  /** Calls `action`, which takes some; no error of it may get out. */
  takeSome(action: () => void): void;
}

interface WaitingFrame {
  bytes: Uint8Array;
  atMs: number;
}

/**
 * Frames of one connection that came and are not taken yet, in their order: those beyond its share of a turn, and those
 * that came before it may have any taken. The connection's window bounds them.
 */
export class FrameQueue implements ByteHolder {
  readonly #owner: QueueOwner;
  readonly #shares: FairShares;
  #frames: WaitingFrame[] = [];
  /** Those before it are taken. */
  #first = 0;
  #bytes = 0;
  /** What was taken in the turn of this number, in frames that cost as much. */
  #turn = -1;
  #spent = 0;

  constructor(owner: QueueOwner, shares: FairShares) {
    this.#owner = owner;
    this.#shares = shares;
  }

  get count(): number {
    return this.#frames.length - this.#first;
  }

  /** Whether its owner, if it takes frames, may take one that comes now at once. */
  get mayPass(): boolean {
    if (this.#shares.turn !== this.#turn) {
      this.#turn = this.#shares.turn;
      this.#spent = 0;
    }
    return this.#spent < LIMITS.turnFrames && this.#frames.length === 0;
  }

  /** Something was taken that cost so many frames. */
  spend(frames: number): void {
    this.#spent += frames;
  }

  /** Keeps a copy. The owner may be cut before this returns. */
  put(bytes: Uint8Array, atMs: number): void {
    this.#frames.push({ bytes: new Uint8Array(bytes), atMs });
    this.#bytes += bytes.length;
    this.#shares.waiting.set(this, this.#bytes);
    this.goOn();
  }

  /** To be called when the owner takes frames again. */
  goOn(): void {
    if (this.count > 0 && this.#owner.takes) this.#shares.rounds.enter(this.#round);
  }

  drop(): void {
    this.#frames = [];
    this.#first = 0;
    this.#bytes = 0;
    this.#shares.waiting.set(this, 0);
  }

  cut(error: MillraceError): void {
    this.#owner.cut(error);
  }

  readonly #round = (): boolean => {
    this.#owner.takeSome(this.#takeSome);
    this.#shares.waiting.set(this, this.#bytes);
    return this.count > 0 && this.#owner.takes;
  };

  readonly #takeSome = (): void => {
    const most = this.#spent + LIMITS.roundFrames;
    while (this.#spent < most && this.#owner.takes) {
      const frame = this.#frames[this.#first];
      if (frame === undefined) break;
      this.#first++;
      this.#bytes -= frame.bytes.length;
      this.#owner.take(frame.bytes, frame.atMs);
    }
    if (this.count === 0) this.drop();
  };
}
