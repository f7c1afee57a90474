import type { Welcome } from './protocol.ts';

/** A frame from `add` until the gateway has taken or refused it. */
export interface KeptFrame {
  readonly bytes: Uint8Array;
  /** How many readings it holds, for the sender's own counts. */
  readonly readings: number;
  /** When it was first handed to a connection (the sender's clock); null before. */
  sentAtMs: number | null;
  /** Why the gateway refused it, once it said so. */
  refusal: { code: string; message: string } | null;
}

export interface OutboxLimits {
  maxFrames: number;
  maxBytes: number;
}

/**
 * The part of an outbox that outlives its program. `save()` gives it, and a new `Outbox` or `IngestClient` takes it. A
 * program that keeps frames over its own restart writes down a frame before it is sent, and after each welcome `epoch`
 * and `base`.
 */
export interface SavedOutbox {
  /** Made at random with the outbox: see `newOutbox`. Null for a device whose numbers are its name's alone. */
  readonly id: string | null;
  /** Epoch that the last welcome named; null before the first one. */
  readonly epoch: string | null;
  /** Every frame up to this number is settled. */
  readonly base: number;
  /** Neither taken nor refused, oldest first. */
  readonly frames: readonly { readonly bytes: Uint8Array; readonly readings: number }[];
}

/** An outbox that nobody has used: empty, with an id of 32 random characters. */
export function newOutbox(): SavedOutbox {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { id, epoch: null, base: 0, frames: [] };
}

/**
 * A welcome of the same epoch as the last one has a number that cannot be. Which of the kept frames it speaks of is
 * unknown, so that none is dropped: some may come twice.
 */
export interface NumbersFault {
  /**
   * `ahead`: more frames than were sent are durable, so another program sends under this device's name, or with a
   * copy of this outbox. `behind`: less is durable than was before, so the gateway was restored from a backup.
   */
  kind: 'ahead' | 'behind';
  /** The welcome's number. */
  seq: number;
  /** It should be one of [from, to]. */
  from: number;
  to: number;
}

/** The gateway said something that its protocol excludes; a new welcome settles what is true. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation';
}

/**
 * The device's half of the protocol as a value: what is kept, which numbers it bears, and what may be sent.
 * No clock, no socket, no callbacks; every method is a transition.
 *
 * `kept[0 .. sent)` went out on the connection of the last welcome, as numbers base+1 … base+sent; the rest
 * has no number yet. After the program's own restart nobody knows how many went out, so that `sent` begins with all of
 * them. Numbers are implicit on the wire, so a welcome renumbers all that is left by itself.
 */
export class Outbox {
  readonly id: string | null;
  readonly #limits: OutboxLimits;
  #kept: KeptFrame[] = [];
  /** Entries of #kept before it are settled; they go when they are half, so that settling costs O(1) each. */
  #head = 0;
  #keptBytes = 0;
  #sent = 0;
  #sentBytes = 0;
  #base = 0;
  #epoch: string | null = null;
  #window: Welcome | null = null;

  constructor(limits: OutboxLimits, saved: SavedOutbox = newOutbox()) {
    this.#limits = limits;
    this.id = saved.id;
    this.#epoch = saved.epoch;
    this.#base = saved.base;
    this.#kept = saved.frames.map((frame) => ({ ...frame, sentAtMs: null, refusal: null }));
    for (const { bytes } of this.#kept) this.#keptBytes += bytes.length;
    this.#sent = this.#kept.length;
    this.#sentBytes = this.#keptBytes;
  }

  save(): SavedOutbox {
    const frames = this.#kept.slice(this.#head).map(({ bytes, readings }) => ({ bytes, readings }));
    return { id: this.id, epoch: this.#epoch, base: this.#base, frames };
  }

  /** Frames that are neither taken nor refused. */
  get size(): number {
    return this.#kept.length - this.#head;
  }

  get sizeBytes(): number {
    return this.#keptBytes;
  }

  /** Frames that have not been sent even once since this object was made. */
  neverSent(): KeptFrame[] {
    return this.#kept.slice(this.#head).filter(({ sentAtMs }) => sentAtMs === null);
  }

  /** Frames sent since the last welcome and not acknowledged. */
  get inFlight(): number {
    return this.#sent;
  }

  /** Keeps a frame; false when it does not fit. The bytes must not change afterwards. */
  add(bytes: Uint8Array, readings: number): boolean {
    const { maxFrames, maxBytes } = this.#limits;
    if (this.size >= maxFrames || this.#keptBytes + bytes.length > maxBytes) return false;
    this.#kept.push({ bytes, readings, sentAtMs: null, refusal: null });
    this.#keptBytes += bytes.length;
    return true;
  }

  /**
   * A connection begins. Returns the frames that turn out to be durable from before: in the epoch that they
   * were sent in, those up to `seq`, unless that number has a fault. All others are to be sent again, numbered from
   * `seq` + 1.
   */
  welcome(message: Welcome): { durable: KeptFrame[]; fault: NumbersFault | null } {
    const isSameEpoch = message.epoch === this.#epoch;
    const fault = isSameEpoch ? this.#faultOf(message.seq) : null;
    const durable = this.#settle(isSameEpoch && fault === null ? message.seq - this.#base : 0);
    // A refusal told of a frame that did not become durable will be told again, or not: forget it.
    for (let i = this.#head; i < this.#head + this.#sent; i++) {
      const frame = this.#kept[i];
      if (frame !== undefined) frame.refusal = null;
    }
    this.#epoch = message.epoch;
    this.#base = message.seq;
    this.#sent = 0;
    this.#sentBytes = 0;
    this.#window = message;
    return { durable, fault };
  }

  #faultOf(seq: number): NumbersFault | null {
    const [from, to] = [this.#base, this.#base + this.#sent];
    if (seq >= from && seq <= to) return null;
    return { kind: seq > to ? 'ahead' : 'behind', seq, from, to };
  }

  /** The connection is gone: nothing may be sent until the next welcome. What was in flight stays so. */
  disconnect(): void {
    this.#window = null;
  }

  /**
   * The next frame to send, now in flight; undefined when there is none or the window is full. A frame that
   * can never fit the gateway's limits comes back refused (`frame_too_large`): it must not be sent, takes no
   * number and is no longer kept.
   */
  next(nowMs: number): KeptFrame | undefined {
    const frame = this.#kept[this.#head + this.#sent];
    if (this.#window === null || frame === undefined) return undefined;
    const { maxFrameBytes, maxUnacked, maxUnackedBytes } = this.#window;
    const sizeBytes = frame.bytes.length;
    if (sizeBytes > maxFrameBytes || sizeBytes > maxUnackedBytes) {
      this.#kept.splice(this.#head + this.#sent, 1);
      this.#keptBytes -= sizeBytes;
      const message = `${sizeBytes} bytes, the gateway takes ${Math.min(maxFrameBytes, maxUnackedBytes)}`;
      frame.refusal = { code: 'frame_too_large', message };
      return frame;
    }
    if (this.#sent >= maxUnacked || this.#sentBytes + sizeBytes > maxUnackedBytes) return undefined;
    this.#sent += 1;
    this.#sentBytes += sizeBytes;
    frame.sentAtMs ??= nowMs;
    return frame;
  }

  /**
   * Everything up to `seq` is taken or refused: returns those frames, `refusal` telling which. Throws
   * ProtocolViolation for a number that was never sent.
   */
  ack(seq: number): KeptFrame[] {
    if (this.#window === null || seq > this.#base + this.#sent) {
      throw new ProtocolViolation(`ack of ${seq}, but ${this.#base + this.#sent} was the last one sent`);
    }
    return this.#settle(Math.max(0, seq - this.#base));
  }

  /** Frame `seq` is refused; the ack that covers it settles it. Throws ProtocolViolation as `ack` does. */
  reject(seq: number, code: string, message: string): void {
    const frame = seq > this.#base && seq <= this.#base + this.#sent ? this.#frame(seq) : undefined;
    if (this.#window === null || frame === undefined) {
      throw new ProtocolViolation(`reject of ${seq}, which is not in flight`);
    }
    frame.refusal = { code, message };
  }

  #frame(seq: number): KeptFrame | undefined {
    return this.#kept[this.#head + seq - this.#base - 1];
  }

  #settle(count: number): KeptFrame[] {
    const settled = this.#kept.slice(this.#head, this.#head + count);
    let sizeBytes = 0;
    for (const frame of settled) sizeBytes += frame.bytes.length;
    this.#keptBytes -= sizeBytes;
    this.#sentBytes -= sizeBytes;
    this.#base += count;
    this.#sent -= count;
    this.#head += count;
    if (this.#head * 2 >= this.#kept.length) {
      this.#kept = this.#kept.slice(this.#head);
      this.#head = 0;
    }
    return settled;
  }
}
