import type { PubackReason } from './reasons.ts';

/** A packet that waits for its PUBACK. */
export interface Unacknowledged {
  readonly messageId: number;
  /** Null until it may be acknowledged. */
  reason: PubackReason | null;
}

/** The PUBACKs of one connection go out in the order in which its packets came (MQTT 5, 4.6), however they get ready. */
export class AcksInOrder {
  readonly #send: (messageId: number, reason: PubackReason) => void;
  #waiting: Unacknowledged[] = [];
  /** Those before it have been sent. */
  #head = 0;

  constructor(send: (messageId: number, reason: PubackReason) => void) {
    this.#send = send;
  }

  get size(): number {
    return this.#waiting.length - this.#head;
  }

  /** A packet came. */
  add(messageId: number): Unacknowledged {
    const packet: Unacknowledged = { messageId, reason: null };
    this.#waiting.push(packet);
    return packet;
  }

  /** It may be acknowledged, as soon as all before it are. */
  settle(packet: Unacknowledged, reason: PubackReason): void {
    packet.reason = reason;
    for (;;) {
      const next = this.#waiting[this.#head];
      if (next === undefined || next.reason === null) break;
      this.#head++;
      this.#send(next.messageId, next.reason);
    }
    // Half of it at once, so that a queue that is never empty stays short, too.
    if (this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }
}
