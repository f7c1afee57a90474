import { LIMITS } from '../core/index.ts';
import type { HeldAnswers, Reservation } from './held-answers.ts';

/** The bytes of one answer that are made and not sent yet, in order. */
export class AnswerBody {
  readonly #held: HeldAnswers;
  readonly #mostBytes: number;
  #chunks: Buffer[] = [];
  /** The first chunk that is not sent, and how much of it is. */
  #chunk = 0;
  #at = 0;
  #bytes = 0;
  #reservation: Reservation | null = null;
  #freed = false;

  /** `mostBytes`: what it may grow to. */
  constructor(held: HeldAnswers, mostBytes: number = LIMITS.queryMaxAnswerBytes) {
    this.#held = held;
    this.#mostBytes = mostBytes;
  }

  get empty(): boolean {
    return this.#chunk === this.#chunks.length;
  }

  /** Waits for room where it becomes large; see HeldAnswers.reserve. */
  async add(chunks: readonly Buffer[], signal: AbortSignal): Promise<void> {
    for (const chunk of chunks) {
      signal.throwIfAborted();
      if (chunk.length === 0) continue;
      if (this.#reservation === null && this.#bytes + chunk.length > LIMITS.heldAnswerFreeBytes) {
        this.#reservation = await this.#held.reserve(this.#mostBytes, signal);
      }
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      this.#held.count(chunk.length);
    }
  }

  /** It does not grow any more: room that it does not need is given back. */
  seal(): void {
    this.#reservation?.shrink(this.#bytes);
  }

  /** Takes the next piece out; empty when there is none. */
  take(): Uint8Array {
    const first = this.#part(LIMITS.answerPieceBytes);
    const parts = [first];
    let bytes = first.length;
    // Small chunks travel together, as a head, its rows and what stands behind them.
    while (!this.empty && bytes < LIMITS.answerPieceBytes) {
      const part = this.#part(LIMITS.answerPieceBytes - bytes);
      parts.push(part);
      bytes += part.length;
    }
    return parts.length === 1 ? first : Buffer.concat(parts, bytes);
  }

  /** Up to so many bytes of the next chunk. */
  #part(mostBytes: number): Buffer {
    const chunk = this.#chunks[this.#chunk];
    if (chunk === undefined) return NOTHING;
    const part = chunk.subarray(this.#at, this.#at + mostBytes);
    this.#at += part.length;
    if (this.#at < chunk.length) return part;
    // The chunk's memory goes with its last piece.
    this.#chunks[this.#chunk] = NOTHING;
    this.#chunk++;
    this.#at = 0;
    this.#lose(chunk.length);
    if (this.empty) {
      this.#chunks = [];
      this.#chunk = 0;
    }
    return part;
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#chunks = [];
    this.#chunk = 0;
    this.#at = 0;
    this.#lose(this.#bytes);
    this.#reservation?.shrink(0);
  }

  #lose(bytes: number): void {
    this.#bytes -= bytes;
    this.#held.count(-bytes);
    this.#reservation?.shrink(this.#bytes);
  }
}

const NOTHING = Buffer.alloc(0);
