import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';
import type { Channel } from '../process-calls.ts';

/**
 * What the server and an ingest process tell each other, over one stream and therefore in one order. A message is
 *
 *     u32 LE   bytes that follow
 *     u8       kind: 1 call, 2 frames, 3 durable, 4 duplicates
 *     …        the payload
 *
 * Calls are structured clones (node:v8); frames.ts describes frames, durable.ts what became of them.
 */
export const KIND = { call: 1, frames: 2, durable: 3, duplicates: 4 } as const;

const HEADER_BYTES = 5;
const LENGTH_BYTES = 4;

/** Told of what arrives. */
export interface LinkListener {
  frames(payload: Buffer): void;
  durable(payload: Buffer): void;
  duplicates(payload: Buffer): void;
}

export class ProcessLink implements Channel {
  readonly #stream: Duplex;
  #onCall: (message: unknown) => void = () => {};
  #listener: LinkListener | null = null;
  /** The message that has arrived in part; its first bytes are in it. */
  #partial: Buffer | null = null;
  #filled = 0;
  /** Bytes of a length that has not arrived whole. */
  #head: Buffer = Buffer.alloc(0);

  constructor(stream: Duplex) {
    this.#stream = stream;
    // The end of the other process is told by its own means.
    stream.on('error', () => {});
  }

  /** Begins to read. */
  open(listener: LinkListener): void {
    this.#listener = listener;
    this.#stream.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  post(message: unknown): void {
    this.send(KIND.call, serialize(message));
  }

  listen(listener: (message: unknown) => void): void {
    this.#onCall = listener;
  }

  /** Sends the payload, whose memory must stay as it is until `sent`. */
  send(kind: number, payload: Uint8Array, sent: () => void = () => {}): void {
    if (!this.#stream.writable) {
      sent();
      return;
    }
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUInt32LE(payload.length + HEADER_BYTES - LENGTH_BYTES, 0);
    header[LENGTH_BYTES] = kind;
    this.#stream.cork();
    this.#stream.write(header);
    this.#stream.write(payload, sent);
    this.#stream.uncork();
  }

  #read(chunk: Buffer): void {
    let rest = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    this.#head = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#partial === null) {
        if (rest.length < LENGTH_BYTES) {
          this.#head = Buffer.from(rest);
          return;
        }
        const length = rest.readUInt32LE(0);
        rest = rest.subarray(LENGTH_BYTES);
        if (rest.length >= length) {
          this.#take(rest.subarray(0, length));
          rest = rest.subarray(length);
          continue;
        }
        this.#partial = Buffer.allocUnsafe(length);
        this.#filled = 0;
      }
      const partial = this.#partial;
      const missing = partial.length - this.#filled;
      rest.copy(partial, this.#filled, 0, missing);
      this.#filled += Math.min(missing, rest.length);
      rest = rest.subarray(missing);
      if (this.#filled < partial.length) return;
      this.#partial = null;
      this.#take(partial);
    }
  }

  /** A call is made one microtask after it came; the others wait as long, so that the order stays. */
  #take(message: Buffer): void {
    const [kind] = message;
    const payload = message.subarray(1);
    if (kind === KIND.call) this.#onCall(deserialize(payload));
    else if (kind === KIND.frames) queueMicrotask(() => this.#listener?.frames(payload));
    else if (kind === KIND.durable) queueMicrotask(() => this.#listener?.durable(payload));
    else queueMicrotask(() => this.#listener?.duplicates(payload));
  }
}
