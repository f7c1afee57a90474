import { encodeCursor, type Clock, type Cursor } from '../core/index.ts';
import type { Journal } from '../journal/index.ts';
import { next, placeOf, positionOf, type Course, type CourseEvent } from './course.ts';
import type { EncodedBlock } from './encode.ts';
import { gapQuery } from './gap-query.ts';
import { gapEndNs, type GapTimes } from './gap-times.ts';
import type { Group } from './group.ts';
import type { HistoryChunk } from './history.ts';
import { Outlet, type OutgoingRows, type TailCounts, type TailSink } from './outlet.ts';
import type { SubscribeRequest } from './request.ts';

export interface SenderSources {
  readonly journal: Pick<Journal, 'epoch' | 'head'>;
  readonly clock: Clock;
  /** How far ahead of its receipt a row's time may lie. */
  readonly maxTimeAheadMs: number;
  readonly counts: TailCounts;
}

/** How far a block was sent: whole, until the reader lagged, or not because the place is inside a chunk. */
export type BlockOutcome = 'done' | 'lagging' | 'split';

/**
 * What one reader is sent, and how far it has come by that: rows and gaps leave here together with the step of the
 * course that they are, so that no cursor is ahead of what was told, or behind it.
 */
export class Sender {
  readonly #sources: SenderSources;
  readonly #group: Group;
  readonly #baseUrl: string;
  readonly #out: Outlet;
  /** All live subscriptions of the group have what is before it. */
  readonly #passed: () => number;
  #course: Course;

  constructor(
    sources: SenderSources,
    group: Group,
    { id }: Pick<SubscribeRequest, 'id'>,
    sink: TailSink,
    course: Course,
    passed: () => number,
  ) {
    this.#sources = sources;
    this.#group = group;
    this.#baseUrl = sink.baseUrl;
    this.#out = new Outlet(id, sink, sources.counts);
    this.#course = course;
    this.#passed = passed;
  }

  get course(): Course {
    return this.#course;
  }

  /** The next frame to deliver. */
  get position(): number {
    const own = positionOf(this.#course);
    return this.#course.at === 'live' ? Math.max(own, this.#passed()) : own;
  }

  /** Resumes exactly after what was sent. */
  get cursor(): Cursor {
    return this.#cursorAt(this.position);
  }

  /** Messages without rows, and the reader's pace. */
  get out(): Outlet {
    return this.#out;
  }

  to(event: CourseEvent): void {
    this.#course = next(this.#course, event);
  }

  /** Stored rows. */
  stored(chunk: HistoryChunk, selected: Group['selected']): void {
    this.#out.announce(selected, this.cursor);
    this.to({ type: 'historyReached', place: chunk.cursor.history });
    this.#out.data(encodeCursor(chunk.cursor), chunk);
  }

  /** The chunks of a block behind a place; `own` says that they were encoded from there on. */
  block(block: EncodedBlock, from: number, own = false): BlockOutcome {
    let position = from;
    for (const chunk of block.chunks) {
      if (chunk.next <= position) continue;
      if (chunk.first < position && !own) return 'split';
      if (this.#out.lagging) {
        this.#out.noteLag();
        return 'lagging';
      }
      this.#out.announce(block.selected, this.#cursorAt(position));
      position = chunk.next;
      this.to({ type: 'reached', position });
      this.#out.data(chunk.cursor, chunk);
    }
    return 'done';
  }

  /** Rows that stand for all that was missed before `reached`; null where more of them follow. */
  newest(rows: OutgoingRows, selected: Group['selected'], reached: number | null): void {
    this.#out.announce(selected, this.cursor);
    if (reached !== null) this.to({ type: 'reached', position: reached });
    this.#out.data(encodeCursor(this.cursor), rows);
  }

  /** Is where it was live at the start, or further: the client hears of it once. */
  caughtUp(): void {
    if (this.#course.at === 'joining' && !this.#course.toldLive) this.#out.live(this.cursor);
    this.to({ type: 'caughtUp', head: this.#sources.journal.head() });
  }

  /** Rows of these times will not come: the step that leaves them out. */
  skip(event: CourseEvent, times: GapTimes): void {
    const from = this.cursor;
    this.to(event);
    this.gap(from, times);
  }

  /** Tells that the rows from a cursor up to where it stands now will not come. */
  gap(from: Cursor, times: GapTimes): void {
    const { clock, maxTimeAheadMs } = this.#sources;
    const toNs = gapEndNs(times, clock.nowMs() + maxTimeAheadMs);
    this.#out.gap(from, this.cursor, gapQuery(this.#baseUrl, this.#group.filter, times.fromNs, toNs));
  }

  #cursorAt(position: number): Cursor {
    return { epoch: this.#sources.journal.epoch, position, history: placeOf(this.#course) };
  }
}
