/**
 * What became of the frames of an ingest process. What commits took of its connections, one behind the other:
 *
 *     f64 LE   seq: all up to it is on disk
 *     f64 LE   arrival of the first of these frames, milliseconds since the UTC epoch
 *     u32 LE   connection
 *     u32 LE   bytes of these frames
 *
 * Before it, what of that are duplicates, each as the connection that brought it (u32 LE).
 */
const ENTRY_BYTES = 24;
const FIRST_ENTRIES = 256;

/** Gathers what one commit says of many connections. */
export class DurableBatch {
  #buffer = Buffer.allocUnsafeSlow(FIRST_ENTRIES * ENTRY_BYTES);
  #length = 0;

  get empty(): boolean {
    return this.#length === 0;
  }

  add(connection: number, seq: number, frameBytes: number, arrivalMs: number): void {
    if (this.#length === this.#buffer.length) {
      this.#buffer = Buffer.concat([this.#buffer], this.#buffer.length * 2);
    }
    const at = this.#length;
    this.#buffer.writeDoubleLE(seq, at);
    this.#buffer.writeDoubleLE(arrivalMs, at + 8);
    this.#buffer.writeUInt32LE(connection, at + 16);
    this.#buffer.writeUInt32LE(frameBytes, at + 20);
    this.#length = at + ENTRY_BYTES;
  }

  /** A copy of what has gathered; it begins anew then. */
  take(): Buffer {
    const payload = Buffer.from(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
    return payload;
  }
}

/** Calls `tell` with each entry. */
export function readDurable(
  payload: Buffer,
  tell: (connection: number, seq: number, frameBytes: number, arrivalMs: number) => void,
): void {
  for (let at = 0; at < payload.length; at += ENTRY_BYTES) {
    tell(
      payload.readUInt32LE(at + 16),
      payload.readDoubleLE(at),
      payload.readUInt32LE(at + 20),
      payload.readDoubleLE(at + 8),
    );
  }
}

/** Gathers the connections of duplicates until a commit is told. */
export class DuplicateBatch {
  #connections: number[] = [];

  add(connection: number): void {
    this.#connections.push(connection);
  }

  get empty(): boolean {
    return this.#connections.length === 0;
  }

  /** What has gathered; it begins anew then. */
  take(): Buffer {
    const payload = Buffer.allocUnsafe(this.#connections.length * 4);
    for (const [index, connection] of this.#connections.entries()) {
      payload.writeUInt32LE(connection, index * 4);
    }
    this.#connections = [];
    return payload;
  }
}

/** Calls `tell` with each connection that brought a duplicate, as often as it did. */
export function readDuplicates(payload: Buffer, tell: (connection: number) => void): void {
  for (let at = 0; at < payload.length; at += 4) tell(payload.readUInt32LE(at));
}
