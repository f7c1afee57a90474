import { rowsFrom, type AnswerBatch, type Cell } from '../../../core/index.ts';
import { isTagText } from '../../shared/tag-text.ts';
import type { RowsQuery } from '../../store.ts';
import { OWN, Parameters, type Statement } from '../file/sql.ts';
import type { Table } from '../file/tables.ts';
import { continued, firstTimeSql, timesSql, rowsSql } from './select.ts';
import type { SnapshotReading, SnapshotStatements } from './snapshot.ts';
import { TimeWindows, type TimeWindow } from './time-windows.ts';

/** A window is made a little wider than it seems to need: two of them cost more than a few rows too many. */
const MARGIN = 1.25;
/** A window with so many times the rows that are wanted is narrowed before it is sorted … */
const MOST_TIMES = 4;
/** … but not where it has no more than this part of a window's rows, and a table of no more is read in one window. */
const FEW = 1 / 4;

/**
 * Raw rows, read window by window in the order of their times: one statement over all that is behind a page's cursor
 * would sort all of it for the few rows of the page. `windowRows`: of a window at most, about.
 */
export function rowsReading(table: Table, query: RowsQuery, windowRows: number): SnapshotReading {
  return async function* (snapshot) {
    const rest = continued(query);
    const few = windowRows * FEW;
    const extent = await extentOf(snapshot, table, query);
    const range = overlap(rest, extent);
    const wanted = (): number => (Math.min(windowRows, rest.limit ?? windowRows) + rest.skip) * MARGIN;
    const windows = new TimeWindows(range, query.order, firstWidthNs(range, extent, wanted(), few));
    for (let window = windows.next(); window !== null && rest.limit !== 0; window = windows.next()) {
      const part = { ...rest, ...window, key: isIn(window, query.after?.timeNs) ? rest.key : null };
      // Of one instant all rows are read, as nothing narrower is left.
      const isNarrow = extent.tableRows <= few || window.toNs - window.fromNs === 1n;
      const most = isNarrow ? null : Math.ceil(Math.max(few, wanted() * MOST_TIMES));
      let rows = 0;
      for await (const batch of snapshot.batches(rowsSql(table, query, part, most))) {
        rows = most === null ? rows + batch.rows : rowsInAll(batch);
        if (most !== null && rows >= most) break;
        const skipped = Math.min(rest.skip, batch.rows);
        rest.skip -= skipped;
        if (rest.limit !== null) rest.limit -= batch.rows - skipped;
        if (batch.rows > skipped) yield rowsFrom(most === null ? batch : withoutLast(batch), skipped);
      }
      if (most === null || rows < most) {
        windows.passed(window, rows, wanted());
        continue;
      }
      const [times] = await snapshot.rows(timesSql(table, query, part, most));
      const some = { fromNs: timeOf(times?.[0]), toNs: timeOf(times?.[1]) + 1n };
      const hole = windows.tooMany(window, some, most, wanted());
      if (hole === null) continue;
      const [first] = await snapshot.rows(firstTimeSql(table, query, { ...part, ...hole }));
      windows.skipTo(timeOf(first?.[0]));
    }
  };
}

/** How many rows there are beside those of the batch, which its last column tells. */
function rowsInAll({ columns }: AnswerBatch): number {
  const last = columns.at(-1);
  return last?.type === 'integer' ? Number(last.values[0]) : 0;
}

function withoutLast({ rows, columns }: AnswerBatch): AnswerBatch {
  return { rows, columns: columns.slice(0, -1) };
}

/** Where a query's rows lie at most: no device that it names has any before or behind. */
interface Extent extends TimeWindow {
  tableRows: number;
  /** The part of the measurement's devices that it names. */
  share: number;
}

async function extentOf(snapshot: SnapshotStatements, table: Table, query: RowsQuery): Promise<Extent> {
  const [row] = await snapshot.rows(extentSql(table, query));
  const [firstNs, lastNs, devices, allDevices, tableRows] = row ?? [];
  return {
    fromNs: timeOf(firstNs),
    toNs: typeof lastNs === 'bigint' ? lastNs + 1n : 0n,
    tableRows: Number(tableRows),
    share: Number(devices) / Math.max(1, Number(allDevices)),
  };
}

function extentSql(table: Table, { devices }: RowsQuery): Statement {
  const parameters = new Parameters();
  const same = `measurement = ${parameters.add(table.measurement)}`;
  const named = devices.filter(isTagText).map((device) => parameters.add(device));
  const chosen =
    devices.length === 0
      ? same
      : `${same} AND ${named.length === 0 ? 'false' : `device IN (${named.join(', ')})`}`;
  return {
    text:
      'SELECT min(first_ns), max(last_ns), count(*), ' +
      `(SELECT count(*) FROM ${OWN}.devices WHERE ${same}), (SELECT count(*) FROM ${table.sql}) ` +
      `FROM ${OWN}.devices WHERE ${chosen}`,
    values: parameters.values,
  };
}

/** As wide as it took to have the rows that are wanted, were all rows spread evenly over times and devices. */
function firstWidthNs(range: TimeWindow, extent: Extent, wanted: number, few: number): bigint {
  const wholeNs = range.toNs - range.fromNs;
  const rows = extent.tableRows * extent.share;
  if (extent.tableRows <= few || rows <= wanted) return wholeNs;
  return BigInt(Math.round(Number(extent.toNs - extent.fromNs) * (wanted / rows)));
}

function overlap(a: TimeWindow, b: TimeWindow): TimeWindow {
  return {
    fromNs: a.fromNs > b.fromNs ? a.fromNs : b.fromNs,
    toNs: a.toNs < b.toNs ? a.toNs : b.toNs,
  };
}

function isIn({ fromNs, toNs }: TimeWindow, timeNs: bigint | undefined): boolean {
  return timeNs !== undefined && timeNs >= fromNs && timeNs < toNs;
}

function timeOf(cell: Cell | undefined): bigint {
  return typeof cell === 'bigint' ? cell : 0n;
}
