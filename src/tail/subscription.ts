import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  MillraceError,
  NS_PER_MS,
  encodeCursor,
  type Clock,
  type Cursor,
  type HistoryPlace,
  type ErrorCode,
  type Measurement,
  type Places,
} from '../core/index.ts';
import type { SettledTimes } from '../journal/index.ts';
import type { EncodedBlock } from './encode.ts';
import { gapQuery } from './gap-query.ts';
import type { Group, LiveMember } from './group.ts';
import { readHistory, type HistorySources } from './history.ts';
import { JoinTooLarge } from './join.ts';
import type { TailLimits } from './limits.ts';
import { newestRows } from './newest.ts';
import { Outlet, type TailCounts, type TailSink } from './outlet.ts';
import type { SubscribeRequest, SubscriptionId, TailStart } from './request.ts';

/** What the hub gives its subscriptions. */
export interface SubscriptionHost extends HistorySources {
  readonly clock: Clock;
  readonly limits: TailLimits;
  /** How far ahead of its receipt a row's time may lie. */
  readonly maxTimeAheadMs: number;
  /** The times of what the journal has dropped, as far as they are known. */
  readonly times: Pick<SettledTimes, 'between'>;
  readonly slots: Places;
  readonly counts: TailCounts;
  /** The measurement as registered now. */
  measurement(name: string): Measurement;
  /** Lets the subscription follow the head with its group, if it has caught up with it. */
  attach(subscription: Subscription): boolean;
  detach(subscription: Subscription): void;
  /** The subscription is over, by its client or by an error. */
  ended(subscription: Subscription): void;
  readonly onDefect: (error: unknown) => void;
}

/** Every row that a gap leaves out has a time in [fromNs, toNs); null for as late as is allowed. */
interface GapTimes {
  fromNs: bigint;
  toNs: bigint | null;
}

/** How far a block was sent: whole, until the reader lagged, or not because the place is inside a chunk. */
type BlockOutcome = 'done' | 'lagging' | 'split';

/**
 * One reader's way through the rows of a filter. It has no buffer, only a place:
 *
 *     history ──→ catching up ⇄ live
 *
 * History streams stored rows. Catching up reads journal blocks at the reader's own pace. Live takes what the
 * group has encoded at each commit; a reader that lags goes back to catching up from where it is.
 */
export class Subscription implements LiveMember {
  readonly id: SubscriptionId;
  readonly group: Group;
  readonly #host: SubscriptionHost;
  readonly #out: Outlet;
  readonly #baseUrl: string;
  readonly #mode: 'all' | 'latest';
  /** The journal's head at the start: up to there rows before #fromNs are left out, and then it is live. */
  readonly #joinedAt: number;
  readonly #abort = new AbortController();
  #fromNs: bigint | null = null;
  #history: HistoryPlace | null = null;
  /** The next frame to deliver. While history has not been opened: one that is surely not in front of it. */
  #position: number;
  #toldLive = false;
  #live = false;
  /** Fell behind in `mode=latest`: collapse what is missing instead of sending all of it. */
  #collapse = false;
  #work: Promise<void> = Promise.resolve();

  constructor(host: SubscriptionHost, group: Group, request: SubscribeRequest, sink: TailSink) {
    this.#host = host;
    this.group = group;
    this.id = request.id;
    this.#baseUrl = sink.baseUrl;
    this.#out = new Outlet(request.id, sink, host.counts);
    this.#mode = request.mode;
    this.#joinedAt = host.journal.head();
    this.#position = host.journal.settledPosition();
  }

  get closed(): boolean {
    return this.#abort.signal.aborted;
  }

  get state(): 'history' | 'catchingUp' | 'live' {
    return this.#history !== null ? 'history' : this.#live ? 'live' : 'catchingUp';
  }

  /** The next frame to deliver. */
  get position(): number {
    return this.#live ? Math.max(this.#position, this.group.position) : this.#position;
  }

  /** Resumes exactly after what was sent. */
  get cursor(): Cursor {
    return { epoch: this.#host.journal.epoch, position: this.position, history: this.#history };
  }

  /** Announces the columns and begins. */
  start(start: TailStart): void {
    const missed = this.#place(start);
    // A client that is cut off before it hears of the gap comes back with the cursor of the first message.
    this.#out.announce(this.group.selected, start.at === 'cursor' ? start.cursor : this.cursor);
    if (missed !== null && start.at === 'cursor') this.#tellGap(start.cursor, missed);
    this.#run(async () => {
      await this.#readHistory();
      await this.#catchUp();
    });
  }

  /** The reader took what waited. */
  drained(): void {
    this.#out.drained();
  }

  /** Tells the position if nothing was sent for a while. */
  tick(nowMs: number): void {
    if (this.#out.silentMs(nowMs) < this.#host.limits.progressMs || this.#out.lagging) return;
    this.#out.progress(this.cursor);
  }

  /** Ends it without a message; resolves when its work has stopped. */
  close(): Promise<void> {
    if (!this.closed) {
      this.#host.detach(this);
      this.#live = false;
      this.#abort.abort();
      this.#out.close();
      this.#host.ended(this);
    }
    return this.#work;
  }

  deliver(block: EncodedBlock): void {
    if (this.closed || !this.#live || this.#sendBlock(block) === 'done') return;
    this.goAlone();
  }

  /** Leaves the group and reads on at its own pace. */
  goAlone(): void {
    this.#position = this.position;
    this.#host.detach(this);
    this.#live = false;
    this.#run(() => this.#catchUp(true));
  }

  /** Sets the place to begin at; the times of a gap where the cursor's own place is no longer there. */
  #place(start: TailStart): GapTimes | null {
    const { journal } = this.#host;
    if (start.at === 'now') {
      this.#position = this.#joinedAt;
      return null;
    }
    if (start.at === 'time') {
      this.#fromNs = start.fromNs;
      this.#history = { timeNs: start.fromNs, row: null };
      return null;
    }
    const { epoch, position, history } = start.cursor;
    if (epoch !== journal.epoch) {
      this.#position = journal.tail();
      return { fromNs: 0n, toNs: null };
    }
    this.#history = history;
    this.#position = Math.max(position, journal.tail());
    if (position >= journal.tail()) return null;
    const dropped = this.#droppedTimes(position);
    if (history === null) return dropped;
    // Frames that are gone are in the store: history still shows those of their rows that are behind its place.
    const shownNs = history.timeNs + 1n;
    const { fromNs, toNs } = dropped;
    return {
      fromNs: fromNs < shownNs ? fromNs : history.timeNs,
      toNs: toNs !== null && toNs < shownNs ? toNs : shownNs,
    };
  }

  #run(work: () => Promise<void>): void {
    this.#work = work().catch((error: unknown) => {
      if (this.closed) return;
      if (!(error instanceof MillraceError)) this.#host.onDefect(error);
      this.#out.error(
        error instanceof MillraceError
          ? error
          : new MillraceError('internal', 'an unexpected error; the log has the details'),
      );
      void this.close();
    });
  }

  /** Streams stored rows; a reader that stays slow gives its place to others and goes on later. */
  async #readHistory(): Promise<void> {
    const { signal } = this.#abort;
    // Late rows that came since the start count as live, wherever the store's view ends.
    let liveFrom = this.#fromNs === null ? this.#position : this.#joinedAt;
    while (this.#history !== null && !this.closed) {
      const leave = await this.#host.slots.take(signal).catch(() => null);
      if (leave === null) return;
      let stalled = false;
      try {
        const { selected, filter } = this.group;
        const measurement = this.#host.measurement(filter.measurement);
        const request = { filter, measurement, selected, liveFrom, place: this.#history, signal };
        const chunks = readHistory(this.#host, request, (position) => {
          liveFrom = position;
          this.#position = position;
        });
        for await (const chunk of chunks) {
          if (this.closed) return;
          this.#out.announce(selected, this.cursor);
          this.#history = chunk.cursor.history;
          this.#out.data(encodeCursor(chunk.cursor), chunk);
          await nextTurn();
          stalled = !(await this.#out.waitForDrain(this.#host.limits.historyPatienceMs));
          if (stalled || this.closed) break;
        }
        if (!stalled) this.#history = null;
      } catch (error) {
        if (!(error instanceof JoinTooLarge || isCode(error, 'cursor_expired'))) throw error;
        this.#skipHistory();
      } finally {
        leave();
      }
      if (stalled) await this.#out.waitForDrain();
    }
  }

  /** The rest of history cannot be told apart from what came since: says so and goes on with the live part. */
  #skipHistory(): void {
    const from = this.cursor;
    this.#history = null;
    this.#tellGap(from, { fromNs: from.history?.timeNs ?? 0n, toNs: null });
  }

  /** `alone` reads one block before it may join the group again: the one that made it leave. */
  async #catchUp(alone = false): Promise<void> {
    let mayJoin = !alone;
    while (!this.closed) {
      if (this.#out.lagging) {
        if (this.#toldLive && this.#mode === 'latest') this.#collapse = true;
        await this.#out.waitForDrain();
        continue;
      }
      if (mayJoin && this.#joinLive()) return;
      mayJoin = true;
      try {
        if (this.#collapse) await this.#sendNewest();
        else await this.#sendNext();
      } catch (error) {
        if (!isCode(error, 'cursor_expired')) throw error;
        this.#skipExpired();
      }
      await nextTurn();
    }
  }

  /** Whether it follows the head from now on; tells the client once that history is done. */
  #joinLive(): boolean {
    const { position } = this;
    if (position < this.#joinedAt) return false;
    if (!this.#toldLive) {
      this.#toldLive = true;
      this.#out.live(this.cursor);
    }
    if (position >= this.#host.journal.head()) this.#collapse = false;
    if (this.#collapse || !this.#host.attach(this)) return false;
    this.#live = true;
    return true;
  }

  /** Sends what the block at the place holds, as much as the reader takes. */
  async #sendNext(): Promise<void> {
    const { position, group } = this;
    const block = this.#host.blocks.read(position, group.filter.measurement);
    if (block === undefined) return;
    const minTimeNs = position < this.#joinedAt ? this.#fromNs : null;
    let outcome: BlockOutcome = 'split';
    if (minTimeNs === null) outcome = this.#sendBlock(await group.encode(block));
    if (outcome === 'split') {
      outcome = this.#sendBlock(await group.encodeFrom(block, position, minTimeNs), true);
    }
    if (outcome === 'done') this.#position = block.next;
  }

  /** Sends the chunks that are still to come; `own` says that they were encoded from this place on. */
  #sendBlock(block: EncodedBlock, own = false): BlockOutcome {
    for (const chunk of block.chunks) {
      const { position } = this;
      if (chunk.next <= position) continue;
      if (chunk.first < position && !own) return 'split';
      if (this.#out.lagging) {
        this.#out.noteLag();
        return 'lagging';
      }
      this.#out.announce(block.selected, this.cursor);
      this.#position = chunk.next;
      this.#out.data(chunk.cursor, chunk);
    }
    return 'done';
  }

  async #sendNewest(): Promise<void> {
    const { blocks, journal, limits } = this.#host;
    const { filter, selected } = this.group;
    const until = journal.head();
    const newest = await newestRows(blocks, filter, selected, this.position, until, limits.latestSeries);
    const { rows } = newest;
    for (let start = 0; start < rows.length && !this.closed; start += limits.messageRows) {
      const part = rows.slice(start, start + limits.messageRows);
      this.#out.announce(selected, this.cursor);
      // Only the last message has all that came before its cursor.
      if (start + part.length >= rows.length) this.#position = newest.next;
      this.#out.data(encodeCursor(this.cursor), { rows: part.length, rowsJson: part.join(',') });
      await this.#out.waitForDrain();
    }
    this.#position = newest.next;
  }

  /** The journal no longer has what comes next: tells the gap and goes on from the oldest that it has. */
  #skipExpired(): void {
    const from = this.cursor;
    this.#position = this.#host.journal.tail();
    this.#tellGap(from, this.#droppedTimes(from.position));
  }

  /** The times of rows in frames from `position` on that the journal has dropped. */
  #droppedTimes(position: number): GapTimes {
    const { journal, times } = this.#host;
    const known = times.between(position, journal.tail());
    if (known === null) return { fromNs: 0n, toNs: null };
    return { fromNs: BigInt(known.fromMs) * NS_PER_MS, toNs: BigInt(known.toMs) * NS_PER_MS };
  }

  /** Tells that the rows from a cursor up to where it stands now will not come. */
  #tellGap(from: Cursor, { fromNs, toNs }: GapTimes): void {
    const { clock, maxTimeAheadMs } = this.#host;
    // A device may bring rows of any time: late ones, and those of a clock that is ahead as far as is allowed, or
    // anywhere in that millisecond.
    const latestNs = BigInt(Math.ceil(clock.nowMs() + maxTimeAheadMs) + 1) * NS_PER_MS;
    const untilNs = toNs ?? (latestNs > fromNs ? latestNs : fromNs + 1n);
    this.#out.gap(from, this.cursor, gapQuery(this.#baseUrl, this.group.filter, fromNs, untilNs));
  }
}

function isCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof MillraceError && error.code === code;
}
