import type { ColumnBatch } from '../../../core/index.ts';
import { seriesKey, type Series, type SeriesRun } from '../file/series.ts';
import type { Table } from '../file/tables.ts';

/** The highest halves of a time: none is beyond it. */
const LAST_HIGH = 0x7fff_ffff;
const LAST_LOW = 0xffff_ffff;

/** What the sorting of a batch knows of one of its series. */
export interface BatchSeries {
  readonly device: string;
  readonly key: string;
  /** Null where the series is not remembered beyond the batch. */
  readonly series: Series | null;
  /** The halves of its newest time so far. A series that is not remembered has none: nothing is beyond this one. */
  high: number;
  low: number;
  /** The first and the last of the rows to append, which are in the order of their times; -1 while there is none. */
  oldest: number;
  newest: number;
  /** The last run that has such rows. */
  run: SeriesRun | null;
}

/** The value of a device or tag leads to those of the next tag, behind the last one to the series. */
interface ValueNode {
  readonly next: Map<string, ValueNode>;
  series: BatchSeries | null;
}

/** The series of a batch by device and tags, found without a text being made for each row. */
export class SeriesOfBatch {
  readonly #table: Table;
  readonly #devices: readonly string[];
  readonly #tags: readonly (readonly (string | null)[])[];
  readonly #root: ValueNode = { next: new Map(), series: null };
  readonly #all: BatchSeries[] = [];
  /** The device of the row last asked for, and where its tags begin. */
  #device: string | null = null;
  #node: ValueNode = this.#root;

  /** `tags` are the values of the table's tags; of one that the batch does not have they are empty. */
  constructor(table: Table, batch: ColumnBatch, tags: readonly (readonly (string | null)[])[]) {
    this.#table = table;
    this.#devices = batch.device;
    this.#tags = tags;
  }

  of(row: number): BatchSeries {
    const device = this.#devices[row] ?? '';
    if (device !== this.#device) {
      this.#device = device;
      this.#node = child(this.#root, device);
    }
    let node = this.#node;
    for (const values of this.#tags) node = child(node, values[row] ?? '');
    node.series ??= this.#add(row);
    return node.series;
  }

  /** Every series that was asked for. */
  all(): readonly BatchSeries[] {
    return this.#all;
  }

  #add(row: number): BatchSeries {
    const device = this.#devices[row] ?? '';
    const key = seriesKey(
      device,
      this.#tags.map((values) => values[row] || null),
    );
    const series = this.#table.series.entry(key);
    const draftNs = series?.draftNs ?? 0n;
    const added: BatchSeries = {
      device,
      key,
      series,
      high: series === null ? LAST_HIGH : Number(draftNs >> 32n),
      low: series === null ? LAST_LOW : Number(draftNs & 0xffff_ffffn),
      oldest: -1,
      newest: -1,
      run: series === null ? null : series.lastRun,
    };
    this.#all.push(added);
    return added;
  }
}

function child({ next }: ValueNode, value: string): ValueNode {
  let node = next.get(value);
  if (node === undefined) {
    node = { next: new Map(), series: null };
    next.set(value, node);
  }
  return node;
}
