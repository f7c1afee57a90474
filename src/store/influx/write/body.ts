import { LIMITS, type ColumnBatch } from '../../../core/index.ts';
import { LineWriter } from './line-writer.ts';

/** Bytes of a body at most, for points with long strings. */
export const BODY_BYTES = 4 * 1024 * 1024;
/** Bodies whose memory is kept: those on their way, the one being filled, and one for rows that are tried out. */
const KEPT_BODIES = LIMITS.influxMaxConnections + 2;

/** A row of a batch. */
export interface RowRef {
  batch: ColumnBatch;
  row: number;
}

/** One line of a body, made an object of its own only when the server does not take the body whole. */
export interface BodyPoint {
  /** Its line with the newline; valid for as long as its body is. */
  bytes: Uint8Array;
  /** The rows in it, in the order in which they were written: several where they share series and time. */
  refs: readonly RowRef[];
  timeNs: bigint;
  /** The point without those rows that `bad` marks by their place in `refs`; null where none is left. */
  without(bad: readonly boolean[]): BodyPoint | null;
}

/** Lines in one piece of memory, with the row that each came from. */
export class Body {
  readonly lines: LineWriter;
  count = 0;
  /** By point: the number of its row, and where its line ends. */
  readonly rows = new Int32Array(LIMITS.influxBodyMaxPoints);
  readonly #ends = new Int32Array(LIMITS.influxBodyMaxPoints);
  /** By point, where there are several: the numbers of its rows. */
  readonly merged = new Map<number, readonly number[]>();

  constructor(bytes: number) {
    this.lines = new LineWriter(Buffer.allocUnsafeSlow(bytes));
  }

  full(maxPoints: number, maxBytes: number): boolean {
    return this.count >= Math.min(maxPoints, LIMITS.influxBodyMaxPoints) || this.lines.at >= maxBytes;
  }

  /** Notes the line that was just written. */
  add(row: number): void {
    this.rows[this.count] = row;
    this.#ends[this.count] = this.lines.at;
    this.count++;
  }

  line(point: number): Uint8Array {
    const start = point === 0 ? 0 : (this.#ends[point - 1] ?? 0);
    return this.lines.bytes.subarray(start, this.#ends[point]);
  }

  get bytes(): Uint8Array {
    return this.lines.bytes.subarray(0, this.lines.at);
  }

  clear(): void {
    this.count = 0;
    this.lines.at = 0;
    this.merged.clear();
  }
}

/** Bodies to be used again, so that writing allocates nothing; a bounded number of them is kept. */
export class BodyPool {
  readonly #free: Body[] = [];

  /** An empty body with room for a line of so many bytes. */
  take(lineBytes: number): Body {
    if (lineBytes > BODY_BYTES) return new Body(lineBytes);
    return this.#free.pop() ?? new Body(BODY_BYTES);
  }

  /** Takes back a body whose bytes nobody reads any more. */
  give(body: Body): void {
    if (this.#free.length >= KEPT_BODIES || body.lines.bytes.length !== BODY_BYTES) return;
    body.clear();
    this.#free.push(body);
  }
}
