import {
  MAX_TIME_NS,
  encodeRow,
  type Cell,
  type Cursor,
  type Measurement,
  type SelectedColumns,
} from '../core/index.ts';
import type { Journal } from '../journal/index.ts';
import type { Answer, Store } from '../store/index.ts';
import type { BlockReader } from './blocks.ts';
import type { TailFilter } from './filter.ts';
import { JoinKeys, rowKeys } from './join.ts';

/** Stored rows for one data message. `cursor` resumes after its last row. */
export interface HistoryChunk {
  rows: number;
  rowsJson: string;
  cursor: Cursor;
  minTimeNs: bigint;
}

export interface HistorySources {
  journal: Journal;
  store: Pick<Store, 'rows'>;
  blocks: BlockReader;
  messageRows: number;
  joinRows: number;
  /** The journal's head when this process began: an earlier one may have written any frame before it. */
  inherited: number;
}

export interface HistoryRequest {
  filter: TailFilter;
  measurement: Measurement;
  selected: SelectedColumns;
  /** The live part begins here, or earlier where the store has not come so far. */
  liveFrom: number;
  /** Rows before it were delivered, and `skip` rows at exactly that time. */
  place: { timeNs: bigint; skip: number };
  signal: AbortSignal;
}

/**
 * Stored rows by time, without those that the live part will deliver: rows of frames at or after the live
 * start. Calls `opened` with that start before the first chunk. See docs/decisions/0004-tail-join.md.
 * Throws JoinTooLarge, `cursor_expired` (frames needed for the join are gone) and the store's errors.
 */
export async function* readHistory(
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
      after: null,
    },
    request.signal,
  );
  const view = answer.view();
  // A store whose position belongs to a replaced journal says nothing about this one.
  const exact = view.exact && view.epoch === journal.epoch;
  const seen = exact ? Math.min(view.position, journal.head()) : settled;
  const liveFrom = Math.min(request.liveFrom, seen);
  opened(liveFrom);

  const keys = new JoinKeys(sources.blocks, filter, liveFrom, sources.joinRows);
  const keyOf = rowKeys(selected);
  const message = new HistoryMessage(journal.epoch, liveFrom, sources.messageRows, place);
  let toSkip = place.skip;
  for await (const rows of answer.chunks) {
    await keys.extend(exact ? seen : Math.max(sources.inherited, upperOf(answer, journal)), place.timeNs);
    for (const row of rows) {
      const timeNs = timeOf(row);
      if (keys.size > 0 && keys.has(keyOf(row))) continue;
      if (toSkip > 0 && timeNs === place.timeNs) {
        toSkip -= 1;
        continue;
      }
      const chunk = message.add(timeNs, encodeRow(row, selected));
      if (chunk !== null) yield chunk;
    }
  }
  const last = message.finish();
  if (last !== null) yield last;
}

/**
 * Gathers rows into messages that end between two times where they can: a cursor then needs no count of
 * rows at one time, which rows written later at that time could shift.
 */
class HistoryMessage {
  readonly #epoch: string;
  readonly #liveFrom: number;
  readonly #messageRows: number;
  #rows: string[] = [];
  #minTimeNs = 0n;
  #timeNs: bigint;
  /** Where in #rows the rows of #timeNs begin, and how many of them went out before. */
  #boundary = 0;
  #sentAtTime: number;

  constructor(epoch: string, liveFrom: number, messageRows: number, place: { timeNs: bigint; skip: number }) {
    this.#epoch = epoch;
    this.#liveFrom = liveFrom;
    this.#messageRows = messageRows;
    this.#timeNs = place.timeNs;
    this.#sentAtTime = place.skip;
  }

  add(timeNs: bigint, json: string): HistoryChunk | null {
    if (timeNs !== this.#timeNs) {
      this.#timeNs = timeNs;
      this.#boundary = this.#rows.length;
      this.#sentAtTime = 0;
    }
    if (this.#rows.length === 0) this.#minTimeNs = timeNs;
    this.#rows.push(json);
    if (this.#rows.length < this.#messageRows) return null;
    const whole = this.#boundary === 0;
    const out = whole ? this.#rows : this.#rows.slice(0, this.#boundary);
    this.#rows = whole ? [] : this.#rows.slice(this.#boundary);
    this.#boundary = 0;
    if (whole) this.#sentAtTime += out.length;
    const chunk = this.#chunk(out, { timeNs, skip: this.#sentAtTime });
    this.#minTimeNs = timeNs;
    return chunk;
  }

  finish(): HistoryChunk | null {
    return this.#rows.length === 0 ? null : this.#chunk(this.#rows, null);
  }

  #chunk(rows: string[], history: Cursor['history']): HistoryChunk {
    const cursor = { epoch: this.#epoch, position: this.#liveFrom, history };
    return { rows: rows.length, rowsJson: rows.join(','), cursor, minTimeNs: this.#minTimeNs };
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
