import { MAX_TIME_NS, type ColumnBatch } from '../../core/index.ts';
import type { RefusedPoint } from '../store.ts';
import type { Body, BodyPool, Point } from './body.ts';
import { lineBytes, LineWriter } from './line-writer.ts';
import { planOf, type FieldPlan, type Plan, type Words } from './plan.ts';
import { seriesOf, type SeriesRows } from './series.ts';

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
  readonly #plans: Plan[] = [];
  /** The number of each plan's first row, and behind the last one's rows. */
  readonly #firstRows: number[] = [0];
  readonly #times: Int32Array;
  readonly #series: SeriesRows;
  readonly #pool: BodyPool;
  /** The plan of the row last looked at, and its rows. */
  #plan: Plan | null = null;
  #planStart = 0;
  #planEnd = 0;
  /** How far it has come: a series and a place in its order. */
  #current = 0;
  #place = 0;

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
    this.#series = seriesOf(this.#plans, rows);
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

  /** The next body, of at most `maxPoints` points and about `maxBytes`; null when all rows are done. */
  next(maxPoints: number, maxBytes: number): Body | null {
    const { prefixes, starts, order } = this.#series;
    let body: Body | null = null;
    while (this.#current < prefixes.length) {
      const prefix = prefixes[this.#current];
      const end = starts[this.#current + 1] ?? 0;
      if (prefix === undefined) break;
      while (this.#place < end) {
        const row = order[this.#place] ?? 0;
        const behind = this.#runEnd(this.#place, end);
        const rows = behind - this.#place === 1 ? null : this.#formed(prefix, this.#place, behind);
        const plan = this.#planOf(row);
        const room =
          rows === null ? lineBytes(prefix, plan, row - this.#planStart) : this.#room(prefix, rows);
        if (body !== null && (body.full(maxPoints, maxBytes) || !body.lines.fits(room))) {
          if (body.count > 0) return body;
          this.#pool.give(body);
          body = null;
        }
        body ??= this.#pool.take(room);
        if (rows !== null) this.#addMerged(body, prefix, rows);
        else if (this.#writeRow(body.lines, prefix, plan, row)) body.add(row);
        this.#place = behind;
      }
      this.#enter(this.#current + 1);
    }
    if (body?.count === 0) {
      this.#pool.give(body);
      return null;
    }
    return body;
  }

  /** The points of a body, each with its own bytes, for a server that did not take the body whole. */
  points(body: Body): Point[] {
    const points: Point[] = [];
    for (let i = 0; i < body.count; i++) {
      const rows = body.merged.get(i) ?? [body.rows[i] ?? 0];
      points.push(this.#point(body.line(i), rows));
    }
    return points;
  }

  /** The point of rows of one series and time. They have forms, as they were in a point before. */
  #pointOf(rows: readonly number[]): Point {
    const [row] = rows;
    const prefix = row === undefined ? undefined : this.#prefixOf(row);
    if (row === undefined || prefix === undefined) throw new TypeError('a point has a row');
    const lines = new LineWriter(Buffer.allocUnsafeSlow(this.#room(prefix, rows)));
    this.#writeRows(lines, prefix, rows);
    return this.#point(lines.bytes.subarray(0, lines.at), rows);
  }

  #point(bytes: Uint8Array, rows: readonly number[]): Point {
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

  #prefixOf(row: number): Words | undefined {
    const place = this.#series.order.indexOf(row);
    const behind = this.#series.starts.findIndex((start) => start > place);
    return this.#series.prefixes[behind - 1];
  }

  /** Begins a series: sorts its rows where they do not come in order of time. */
  #enter(series: number): void {
    this.#current = series;
    const start = this.#series.starts[series] ?? 0;
    const end = this.#series.starts[series + 1] ?? start;
    this.#place = start;
    const { order } = this.#series;
    for (let i = start + 1; i < end; i++) {
      if (this.#compareTimes(order[i - 1] ?? 0, order[i] ?? 0) <= 0) continue;
      // Of rows at the same time the one written later stays behind.
      order.subarray(start, end).sort((a, b) => this.#compareTimes(a, b) || a - b);
      return;
    }
  }

  #compareTimes(a: number, b: number): number {
    const times = this.#times;
    const high = (times[a * 2 + 1] ?? 0) - (times[b * 2 + 1] ?? 0);
    return high !== 0 ? high : ((times[a * 2] ?? 0) >>> 0) - ((times[b * 2] ?? 0) >>> 0);
  }

  /** The place behind the rows that have the same time as the one at `place`. */
  #runEnd(place: number, end: number): number {
    const { order } = this.#series;
    let behind = place + 1;
    while (behind < end && this.#compareTimes(order[place] ?? 0, order[behind] ?? 0) === 0) behind++;
    return behind;
  }

  /** The plan of a row; the row's number in its batch is then `row - #planStart`. */
  #planOf(row: number): Plan {
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
  #writeRow(lines: LineWriter, prefix: Words, plan: Plan, row: number): boolean {
    const local = row - this.#planStart;
    const start = lines.begin(prefix);
    const end = this.#fields(lines, start, plan, local);
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

  /** Where the fields of a row end, or -1 where one has no form. */
  #fields(lines: LineWriter, start: number, plan: Plan, local: number): number {
    let end = start;
    for (const field of plan.fields) {
      end = lines.field(end, field, local, end === start);
      if (end < 0) return end;
    }
    return end;
  }

  #refuse({ batch, fields }: Plan, row: number, infinite: boolean): void {
    const bad = fields.find(
      ({ column }) => column.type === 'float' && Math.abs(column.values[row] ?? 0) === Infinity,
    );
    const message = infinite
      ? `${bad?.column.def.name ?? ''}: a number is infinite`
      : `InfluxDB's last time is ${MAX_TIME_NS - 1n} ns, got ${MAX_TIME_NS}`;
    this.refused.push({ batch, row, message });
  }

  /** Those of the rows at `place` to `behind` that have a form and a field; the others are refused or left out. */
  #formed(prefix: Words, place: number, behind: number): number[] {
    const rows = [...this.#series.order.subarray(place, behind)];
    const scratch = this.#pool.take(this.#room(prefix, rows));
    const formed = rows.filter((row) => {
      scratch.lines.at = 0;
      return this.#writeRow(scratch.lines, prefix, this.#planOf(row), row);
    });
    this.#pool.give(scratch);
    return formed;
  }

  /** Bytes that the rows' fields in one line take at most. */
  #room(prefix: Words, rows: readonly number[]): number {
    let bytes = 0;
    for (const row of rows) {
      const plan = this.#planOf(row);
      bytes += lineBytes(prefix, plan, row - this.#planStart);
    }
    return bytes;
  }

  #addMerged(body: Body, prefix: Words, rows: readonly number[]): void {
    const last = rows.at(-1);
    if (last === undefined) return;
    this.#writeRows(body.lines, prefix, rows);
    if (rows.length > 1) body.merged.set(body.count, rows);
    body.add(last);
  }

  /** One line of several rows: of each field the last one that is there. */
  #writeRows(lines: LineWriter, prefix: Words, rows: readonly number[]): void {
    const newest = new Map<string, { field: FieldPlan; row: number }>();
    for (const row of rows) {
      const plan = this.#planOf(row);
      const local = row - this.#planStart;
      for (const field of plan.fields) {
        const index = plan.batch.columns.indexOf(field.column);
        if (plan.batch.cell(index, local) !== null) {
          newest.set(field.column.def.name, { field, row: local });
        }
      }
    }
    const start = lines.begin(prefix);
    let end = start;
    for (const { field, row } of newest.values()) end = lines.field(end, field, row, end === start);
    const [row = 0] = rows;
    lines.finish(end, this.#times[row * 2] ?? 0, this.#times[row * 2 + 1] ?? 0);
  }
}
