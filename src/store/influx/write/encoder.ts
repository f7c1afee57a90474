import { MAX_TIME_NS, type ColumnBatch } from '../../../core/index.ts';
import type { RefusedPoint } from '../../store.ts';
import type { Body, BodyPool, BodyPoint } from './body.ts';
import { lineBytes, LineWriter } from './line-writer.ts';
import { isPresent, planOf, type FieldPlan, type BatchPlan, type Words } from './plan.ts';
import { seriesOf, type SeriesRows } from './series.ts';
import { sameTimeEnd, sortByTime } from '../../shared/time-order.ts';

/** The last nanosecond of 64 bits, which InfluxDB keeps for itself, in halves. */
const LAST_LOW = -1;
const LAST_HIGH = 0x7fff_ffff;

/**
 * Turns batches, in order, into bodies of line protocol, one at a time: grouped by series and ascending in time
 * within each, as InfluxDB takes them cheapest. No two points are alike: rows of the same series and time
 * become one line, the later row's fields winning. A row without any field present is no point and is left out:
 * InfluxDB has no form for it.
 */
export class Encoder {
  /** Rows that have no faithful form: complete when next() has given null. */
  readonly refused: RefusedPoint[] = [];
  readonly #plans: BatchPlan[] = [];
  /** The number of each plan's first row, and behind the last one's rows. */
  readonly #firstRows: number[] = [0];
  readonly #times: Int32Array;
  readonly #series: SeriesRows;
  readonly #pool: BodyPool;
  /** The plan of the row last looked at, and its rows. */
  #plan: BatchPlan | null = null;
  #planStart = 0;
  #planEnd = 0;
  /** How far it has come: a series, the place in its order, and where that ends. */
  #current = 0;
  #place = 0;
  #end = 0;
  /** No two rows of the series have the same time. */
  #distinct = true;

  constructor(batches: readonly ColumnBatch[], pool: BodyPool) {
    this.#pool = pool;
    let rows = 0;
    for (const batch of batches) {
      const plan = planOf(batch);
      if (typeof plan === 'string') {
        for (let row = 0; row < batch.rows; row++) this.refused.push({ batch, row, message: plan });
        continue;
      }
      rows += batch.rows;
      this.#plans.push(plan);
      this.#firstRows.push(rows);
    }
    this.#times = this.#collectTimes(rows);
    this.#series = seriesOf(this.#plans);
    for (const point of this.#series.refused) this.refused.push(point);
    this.#enter(0);
  }

  #collectTimes(rows: number): Int32Array {
    const [only] = this.#plans;
    if (only !== undefined && this.#plans.length === 1) return only.batch.timeWords;
    const times = new Int32Array(rows * 2);
    for (const [i, { batch }] of this.#plans.entries()) {
      times.set(batch.timeWords.subarray(0, batch.rows * 2), (this.#firstRows[i] ?? 0) * 2);
    }
    return times;
  }

  /** Rows that have a series. */
  get rows(): number {
    return this.#series.order.length;
  }

  /** How many rows are still to be encoded. */
  get left(): number {
    return this.rows - this.#place;
  }

  /** The next body, of at most `maxPoints` points and about `maxBytes`; null when all rows are done. */
  next(maxPoints: number, maxBytes: number): Body | null {
    const { prefixes, order } = this.#series;
    let body: Body | null = null;
    for (; this.#current < prefixes.length; this.#enter(this.#current + 1)) {
      const prefix = prefixes[this.#current];
      if (prefix === undefined) break;
      while (this.#place < this.#end) {
        if (this.#distinct && body !== null) this.#writeDistinct(body, prefix, maxPoints, maxBytes);
        if (this.#place >= this.#end) break;
        const behind = this.#distinct
          ? this.#place + 1
          : sameTimeEnd(order, this.#place, this.#end, this.#times);
        const rows = order.subarray(this.#place, behind);
        const room = this.#room(prefix, rows);
        if (body !== null && (body.full(maxPoints, maxBytes) || !body.lines.fits(room))) {
          if (body.count > 0) return body;
          this.#pool.give(body);
          body = null;
        }
        body ??= this.#pool.take(room);
        this.#addPoint(body, prefix, rows);
        this.#place = behind;
      }
    }
    if (body === null || body.count > 0) return body;
    this.#pool.give(body);
    return null;
  }

  /** The common case at its fastest: rows of one plan, none of which is of the time of another, while they fit. */
  #writeDistinct(body: Body, prefix: Words, maxPoints: number, maxBytes: number): void {
    const { order } = this.#series;
    const { lines } = body;
    while (this.#place < this.#end && !body.full(maxPoints, maxBytes)) {
      const row = order[this.#place] ?? 0;
      const plan = this.#planOf(row);
      if (!lines.fits(lineBytes(prefix, plan, row - this.#planStart))) return;
      if (this.#writeRow(lines, prefix, plan, row)) body.add(row);
      this.#place++;
    }
  }

  /** The points of a body, each with its own bytes, for a server that did not take the body whole. */
  points(body: Body): BodyPoint[] {
    const points: BodyPoint[] = [];
    for (let i = 0; i < body.count; i++) {
      const rows = body.merged.get(i) ?? [body.rows[i] ?? 0];
      points.push(this.#point(body.line(i), rows));
    }
    return points;
  }

  /** The point of rows of one series and time. They have forms, as they were in a point before. */
  #pointOf(rows: readonly number[]): BodyPoint {
    const [row] = rows;
    const prefix = this.#series.prefixes[this.#series.ofRows[row ?? 0] ?? -1];
    if (row === undefined || prefix === undefined) throw new TypeError('a point has a row');
    const lines = new LineWriter(Buffer.allocUnsafeSlow(this.#room(prefix, rows)));
    this.#writeRows(lines, prefix, rows);
    return this.#point(lines.bytes.subarray(0, lines.at), rows);
  }

  #point(bytes: Uint8Array, rows: readonly number[]): BodyPoint {
    const refs = rows.map((row) => {
      const { batch } = this.#planOf(row);
      return { batch, row: row - this.#planStart };
    });
    const last = rows.at(-1) ?? 0;
    const plan = this.#planOf(last);
    return {
      bytes,
      refs,
      timeNs: plan.batch.timeNs[last - this.#planStart] ?? 0n,
      without: (bad) => {
        const left = rows.filter((_, i) => bad[i] !== true);
        return left.length === 0 ? null : this.#pointOf(left);
      },
    };
  }

  #enter(series: number): void {
    const { starts, order } = this.#series;
    this.#current = series;
    this.#place = starts[series] ?? 0;
    this.#end = starts[series + 1] ?? this.#place;
    this.#distinct = sortByTime(order, this.#place, this.#end, this.#times);
  }

  /** The plan of a row; the row's number in its batch is then `row - #planStart`. */
  #planOf(row: number): BatchPlan {
    if (this.#plan !== null && row >= this.#planStart && row < this.#planEnd) return this.#plan;
    const index = this.#firstRows.findLastIndex((first) => first <= row);
    const plan = this.#plans[index];
    if (plan === undefined) throw new RangeError(`row ${row} is in no batch`);
    this.#plan = plan;
    this.#planStart = this.#firstRows[index] ?? 0;
    this.#planEnd = this.#firstRows[index + 1] ?? 0;
    return plan;
  }

  /** False where the row has no form, which is refused, or no field. */
  #writeRow(lines: LineWriter, prefix: Words, plan: BatchPlan, row: number): boolean {
    const local = row - this.#planStart;
    const start = lines.begin(prefix);
    const end = lines.fields(start, plan.fields, local);
    if (end === start) return false;
    const low = this.#times[row * 2] ?? 0;
    const high = this.#times[row * 2 + 1] ?? 0;
    if (end < 0 || (high === LAST_HIGH && low === LAST_LOW)) {
      this.#refuse(plan, local, end < 0);
      return false;
    }
    lines.finish(end, low, high);
    return true;
  }

  #refuse({ batch, fields }: BatchPlan, row: number, infinite: boolean): void {
    const bad = fields.find(({ floats }) => Math.abs(floats[row] ?? 0) === Infinity);
    const message = infinite
      ? `${bad?.name ?? ''}: a number is infinite`
      : `InfluxDB's last time is ${MAX_TIME_NS - 1n} ns, got ${MAX_TIME_NS}`;
    this.refused.push({ batch, row, message });
  }

  /** Writes the rows of one series and time as one point; those without a form are refused, those without a field left out. */
  #addPoint(body: Body, prefix: Words, rows: Int32Array): void {
    const { lines } = body;
    const start = lines.at;
    const formed: number[] = [];
    for (const row of rows) {
      // Its own line stands only where it stays alone.
      lines.at = start;
      if (this.#writeRow(lines, prefix, this.#planOf(row), row)) formed.push(row);
    }
    lines.at = start;
    const last = formed.at(-1);
    if (last === undefined) return;
    this.#writeRows(lines, prefix, formed);
    if (formed.length > 1) body.merged.set(body.count, formed);
    body.add(last);
  }

  /** Bytes that the rows' fields in one line take at most. */
  #room(prefix: Words, rows: Int32Array | readonly number[]): number {
    let bytes = 0;
    for (const row of rows) {
      const plan = this.#planOf(row);
      bytes += lineBytes(prefix, plan, row - this.#planStart);
    }
    return bytes;
  }

  /** One line of several rows: of each field the last one that is there. */
  #writeRows(lines: LineWriter, prefix: Words, rows: readonly number[]): void {
    const newest = new Map<string, { field: FieldPlan; row: number }>();
    for (const row of rows) {
      const plan = this.#planOf(row);
      const local = row - this.#planStart;
      for (const field of plan.fields) {
        if (isPresent(field, local)) newest.set(field.name, { field, row: local });
      }
    }
    const start = lines.begin(prefix);
    let end = start;
    for (const { field, row } of newest.values()) end = lines.field(end, field, row, end === start);
    const [row = 0] = rows;
    lines.finish(end, this.#times[row * 2] ?? 0, this.#times[row * 2 + 1] ?? 0);
  }
}
