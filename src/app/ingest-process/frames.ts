/**
 * Checked frames on their way to the process that writes the journal, one behind the other:
 *
 *     f64 LE   arrival, milliseconds since the UTC epoch
 *     f64 LE   seq
 *     u32 LE   connection, a number that the ingest process gave it
 *     u32 LE   readings
 *     u32 LE   size
 *     u8       length of the content by which its record is known again; 0 where it has none
 *     …        the content, latin1
 *     …        the frame's bytes
 */
const HEADER_BYTES = 29;

export interface SentFrame {
  connection: number;
  seq: number;
  readings: number;
  arrivalMs: number;
  /** The name of its record, where the device's transport numbers nothing: see Journal.append. */
  content: string | undefined;
  /** A view: copy what must outlive the call. */
  bytes: Uint8Array;
}

/** Gathers frames until they are sent. The memory is used again once a batch has left. */
export class FrameBatches {
  readonly #batchBytes: number;
  readonly #send: (payload: Buffer, sent: () => void) => void;
  readonly #spare: Buffer[] = [];
  #buffer: Buffer;
  #length = 0;
  /** Batches that have not left yet, but for those that were copied. */
  #leaving = 0;

  /** `send` gets each batch of about `batchBytes`, and calls back when its memory is free. */
  constructor(batchBytes: number, send: (payload: Buffer, sent: () => void) => void) {
    this.#batchBytes = batchBytes;
    this.#send = send;
    this.#buffer = Buffer.allocUnsafeSlow(batchBytes);
  }

  get empty(): boolean {
    return this.#length === 0;
  }

  append(
    connection: number,
    seq: number,
    bytes: Uint8Array,
    readings: number,
    arrivalMs: number,
    content = '',
  ): void {
    const needed = HEADER_BYTES + content.length + bytes.length;
    if (this.#length + needed > this.#buffer.length) {
      this.flush();
      if (needed > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(needed);
    }
    const buffer = this.#buffer;
    const at = this.#length;
    buffer.writeDoubleLE(arrivalMs, at);
    buffer.writeDoubleLE(seq, at + 8);
    buffer.writeUInt32LE(connection, at + 16);
    buffer.writeUInt32LE(readings, at + 20);
    buffer.writeUInt32LE(bytes.length, at + 24);
    buffer[at + 28] = content.length;
    if (content !== '') buffer.write(content, at + HEADER_BYTES, 'latin1');
    buffer.set(bytes, at + HEADER_BYTES + content.length);
    this.#length = at + needed;
  }

  /** Sends what has gathered. */
  flush(): void {
    if (this.#length === 0) return;
    const buffer = this.#buffer;
    const payload = buffer.subarray(0, this.#length);
    this.#length = 0;
    // While nobody reads, each turn of the event loop would keep a whole batch's memory for its few frames.
    if (this.#leaving >= SPARE_BATCHES && payload.length < this.#batchBytes / 2) {
      this.#send(Buffer.from(payload), () => {});
      return;
    }
    this.#buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#batchBytes);
    this.#leaving++;
    this.#send(payload, () => {
      this.#leaving--;
      if (buffer.length === this.#batchBytes && this.#spare.length < SPARE_BATCHES) this.#spare.push(buffer);
    });
  }
}

/** Batches whose memory is kept to be filled again. */
const SPARE_BATCHES = 4;

/** The frames of a batch. The same object is given each time. */
export function* readFrames(payload: Buffer): Generator<Readonly<SentFrame>> {
  const frame: SentFrame = {
    connection: 0,
    seq: 0,
    readings: 0,
    arrivalMs: 0,
    content: undefined,
    bytes: payload,
  };
  for (let at = 0; at < payload.length;) {
    const start = at + HEADER_BYTES + (payload[at + 28] ?? 0);
    const end = start + payload.readUInt32LE(at + 24);
    frame.arrivalMs = payload.readDoubleLE(at);
    frame.seq = payload.readDoubleLE(at + 8);
    frame.connection = payload.readUInt32LE(at + 16);
    frame.readings = payload.readUInt32LE(at + 20);
    const named = start > at + HEADER_BYTES;
    frame.content = named ? payload.toString('latin1', at + HEADER_BYTES, start) : undefined;
    frame.bytes = payload.subarray(start, end);
    yield frame;
    at = end;
  }
}
