import {
  MAX_TIME_NS,
  encodeRow,
  rowsOfBatch,
  type Cell,
  type Cursor,
  type HistoryPlace,
  type Measurement,
  type RowPlace,
  type SelectedColumns,
} from '../core/index.ts';
import type { Journal } from '../journal/index.ts';
import type { Answer, Store } from '../store/index.ts';
import type { BlockReader } from './blocks.ts';
import type { RowFilter, TailFilter } from './filter.ts';
import { DeliveredRows, PlaceLost, rowPlaces, rowsAfter } from './history-place.ts';
import { JoinKeys, rowFields, rowKeys } from './join.ts';
import type { Turns } from './turns.ts';

/** Stored rows for one data message. `cursor` resumes after its last row. */
export interface HistoryChunk {
  rows: number;
  rowsJson: string;
  cursor: Cursor;
}

export interface HistorySources {
  journal: Journal;
  store: Pick<Store, 'rows'>;
  blocks: BlockReader;
  turns: Turns;
  messageRows: number;
  joinRows: number;
  /** The journal's head when this process began: an earlier one may have written any frame before it. */
  inherited: number;
}

export interface HistoryRequest {
  filter: TailFilter;
  /** The same for rows of frames. */
  rows: RowFilter;
  measurement: Measurement;
  selected: SelectedColumns;
  /** The live part begins here, or earlier where the store has not come so far. */
  liveFrom: number;
  /** Rows up to it were delivered. */
  place: HistoryPlace;
  signal: AbortSignal;
}

/** Cells of stored rows between two looks at the time. */
const CELLS_PER_LOOK = 512;

/**
 * Stored rows by time, without those that the live part will deliver whole: rows of frames at or after the live
 * start. Calls `opened` with that start before the first chunk. See docs/decisions/0004-tail-join.md.
 * Throws JoinTooLarge, `cursor_expired` (frames needed for the join are gone) and the store's errors.
 */
export async function* readHistory(
  sources: HistorySources,
  request: HistoryRequest,
  opened: (liveFrom: number) => void,
): AsyncGenerator<HistoryChunk> {
  try {
    yield* readFrom(sources, request, opened);
  } catch (error) {
    // It is thrown before the first chunk. Rows of that time come again: that is better than some never.
    if (!(error instanceof PlaceLost)) throw error;
    yield* readFrom(sources, { ...request, place: { timeNs: request.place.timeNs, row: null } }, opened);
  }
}

async function* readFrom(
  sources: HistorySources,
  request: HistoryRequest,
  opened: (liveFrom: number) => void,
): AsyncGenerator<HistoryChunk> {
  const { journal, store } = sources;
  const { filter, selected, place } = request;
  // What is settled before the read begins is surely in its answer.
  const settled = journal.settledPosition();
  if (place.timeNs >= MAX_TIME_NS) {
    opened(Math.min(request.liveFrom, settled));
    return;
  }
  const answer = await store.rows(
    {
      measurement: request.measurement,
      fields: filter.fields,
      devices: filter.devices,
      tags: filter.tags,
      fromNs: place.timeNs < 0n ? 0n : place.timeNs,
      toNs: MAX_TIME_NS,
      order: 'asc',
      limit: null,
      after: rowsAfter(place),
    },
    request.signal,
  );
  const view = answer.view();
  // A store whose position belongs to a replaced journal says nothing about this one.
  const exact = view.exact && view.epoch === journal.epoch;
  const seen = exact ? Math.min(view.position, journal.head()) : settled;
  const liveFrom = Math.min(request.liveFrom, seen);
  opened(liveFrom);

  const keys = new JoinKeys(sources, request, liveFrom, sources.joinRows);
  const fieldsOf = rowFields(selected);
  const keyOf = rowKeys(selected);
  const placeOf = rowPlaces(selected, keyOf);
  const delivered = new DeliveredRows(place, keyOf);
  const message = new HistoryMessage(journal.epoch, liveFrom, sources.messageRows, placeOf);
  for await (const batch of answer.chunks) {
    await keys.extend(exact ? seen : Math.max(sources.inherited, upperOf(answer, journal)), place.timeNs);
    let cells = 0;
    for (const row of rowsOfBatch(batch)) {
      cells += row.length;
      if (cells >= CELLS_PER_LOOK) {
        cells = 0;
        if (sources.turns.over) await sources.turns.next('lone');
      }
      const timeNs = timeOf(row);
      if (delivered.has(timeNs, row)) continue;
      if (keys.size > 0 && keys.haveAll(keyOf(row), fieldsOf(row))) continue;
      const chunk = message.add(timeNs, row, encodeRow(row, selected));
      if (chunk !== null) yield chunk;
    }
  }
  delivered.end();
  const last = message.finish();
  if (last !== null) yield last;
}

/**
 * Gathers rows into messages that end between two times where they can: a cursor then need not name the last
 * row of its time.
 */
class HistoryMessage {
  readonly #epoch: string;
  readonly #liveFrom: number;
  readonly #messageRows: number;
  readonly #placeOf: (row: readonly Cell[]) => RowPlace;
  #rows: string[] = [];
  #timeNs: bigint | null = null;
  /** Where in #rows the rows of #timeNs begin. */
  #boundary = 0;

  constructor(
    epoch: string,
    liveFrom: number,
    messageRows: number,
    placeOf: (row: readonly Cell[]) => RowPlace,
  ) {
    this.#epoch = epoch;
    this.#liveFrom = liveFrom;
    this.#messageRows = messageRows;
    this.#placeOf = placeOf;
  }

  add(timeNs: bigint, row: readonly Cell[], json: string): HistoryChunk | null {
    if (timeNs !== this.#timeNs) {
      this.#timeNs = timeNs;
      this.#boundary = this.#rows.length;
    }
    this.#rows.push(json);
    if (this.#rows.length < this.#messageRows) return null;
    const whole = this.#boundary === 0;
    const out = whole ? this.#rows : this.#rows.slice(0, this.#boundary);
    this.#rows = whole ? [] : this.#rows.slice(this.#boundary);
    this.#boundary = 0;
    return this.#chunk(out, { timeNs, row: whole ? this.#placeOf(row) : null });
  }

  finish(): HistoryChunk | null {
    return this.#rows.length === 0 ? null : this.#chunk(this.#rows, null);
  }

  #chunk(rows: string[], history: Cursor['history']): HistoryChunk {
    const cursor = { epoch: this.#epoch, position: this.#liveFrom, history };
    return { rows: rows.length, rowsJson: rows.join(','), cursor };
  }
}

/** No frame at or after this can be among the rows read so far: all that the store shows was journaled before. */
function upperOf(answer: Answer, journal: Journal): number {
  return answer.view().upper ?? journal.head();
}

function timeOf(row: readonly Cell[]): bigint {
  const time = row[0];
  if (typeof time !== 'bigint') throw new TypeError('a stored row begins with its time');
  return time;
}
