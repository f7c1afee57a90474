import { MillraceError, type Cursor, type ErrorCode, type Measurement, type Places } from '../core/index.ts';
import type { SettledTimes } from '../journal/index.ts';
import { mayJoin, minTimeNs, type Course, type InHistory, type Joining } from './course.ts';
import type { DecodedBlock } from './blocks.ts';
import { Sender, type BlockOutcome, type SenderSources } from './sender.ts';
import type { EncodedBlock } from './encode.ts';
import { droppedTimes, type GapTimes } from './gap-times.ts';
import type { Group } from './group.ts';
import { readHistory, type HistorySources } from './history.ts';
import { JoinTooLarge } from './join.ts';
import type { TailLimits } from './limits.ts';
import { newestRows } from './newest.ts';
import type { TailSink } from './outlet.ts';
import type { SubscribeRequest, SubscriptionId } from './request.ts';
import { beginningOf } from './start.ts';
import type { Turns } from './turns.ts';

/** What all subscriptions read from, and their limits. */
export interface SubscriptionSources extends HistorySources, Omit<SenderSources, 'journal'> {
  readonly limits: TailLimits;
  /** The times of what the journal has dropped, as far as they are known. */
  readonly times: Pick<SettledTimes, 'between'>;
  readonly slots: Places;
  readonly turns: Turns;
  /** The measurement as registered now. */
  readonly measurement: (name: string) => Measurement;
  readonly onDefect: (error: unknown) => void;
}

/** The hub, as its subscriptions know it. */
export interface SubscriptionHost {
  /** Takes it with its group from `position` on, and calls `joined` then; false when the group is further on. */
  join(subscription: Subscription, position: number): boolean;
  /** All live subscriptions of the group have what is before it. */
  passed(group: Group): number;
  /** It is over, by its client or by an error. */
  ended(subscription: Subscription): void;
}

/** Takes one reader along its course: reads what comes next in its state, and has it delivered. */
export class Subscription {
  readonly id: SubscriptionId;
  readonly group: Group;
  readonly #host: SubscriptionHost;
  readonly #sources: SubscriptionSources;
  readonly #sender: Sender;
  readonly #abort = new AbortController();
  /** The cursor that was asked for, and the times of what is missing behind it. */
  readonly #resumed: Cursor | null;
  readonly #missed: GapTimes | null;
  #work: Promise<void> = Promise.resolve();

  constructor(
    host: SubscriptionHost,
    sources: SubscriptionSources,
    group: Group,
    request: SubscribeRequest,
    sink: TailSink,
  ) {
    this.#host = host;
    this.#sources = sources;
    this.group = group;
    this.id = request.id;
    const { course, missed } = beginningOf(request, sources.journal, sources.times);
    this.#sender = new Sender(sources, group, request, sink, course, () => host.passed(group));
    this.#resumed = request.start.at === 'cursor' ? request.start.cursor : null;
    this.#missed = missed;
  }

  get state(): Course['at'] {
    return this.#sender.course.at;
  }

  /** The next frame to deliver. */
  get position(): number {
    return this.#sender.position;
  }

  /** Announces the columns and begins. */
  start(): void {
    const { out, cursor } = this.#sender;
    // A client that is cut off before it hears of the gap comes back with the cursor of the first message.
    out.announce(this.group.selected, this.#resumed ?? cursor);
    if (this.#missed !== null && this.#resumed !== null) this.#sender.gap(this.#resumed, this.#missed);
    this.#run();
  }

  /** The reader took what waited. */
  drained(): void {
    this.#sender.out.drained();
  }

  /** Tells the position if nothing was sent for a while. */
  tick(nowMs: number): void {
    const { out } = this.#sender;
    if (out.silentMs(nowMs) < this.#sources.limits.progressMs || out.lagging) return;
    out.progress(this.#sender.cursor);
  }

  /** Ends it without a message; resolves when its work has stopped. */
  close(): Promise<void> {
    if (this.state !== 'gone') {
      this.#sender.to({ type: 'ended' });
      this.#abort.abort();
      this.#sender.out.close();
      this.#host.ended(this);
    }
    return this.#work;
  }

  /** The hub takes it along with its group from now on. */
  joined(): void {
    this.#sender.to({ type: 'joined' });
  }

  /**
   * Sends what it has not sent of the block; its group has what is before `passed`. False when it no longer follows
   * the group: it goes on at its own pace then.
   */
  deliver(block: EncodedBlock, passed: number): boolean {
    const { course } = this.#sender;
    if (course.at !== 'live') return false;
    if (this.#sender.block(block, Math.max(course.position, passed)) === 'done') return true;
    this.goAlone(passed);
    return false;
  }

  /** The group cannot go on, or this reader cannot with it: reads on at its own pace. */
  goAlone(passed: number): void {
    if (this.state !== 'live') return;
    this.#sender.to({ type: 'parted', position: passed });
    this.#run();
  }

  /** Goes on behind what still runs: it may be sent off alone before the work that joined its group has ended. */
  #run(): void {
    const goOn = (): Promise<void> => this.#goOn();
    this.#work = this.#work.then(goOn).catch((error: unknown) => {
      if (this.state === 'gone') return;
      if (!(error instanceof MillraceError)) this.#sources.onDefect(error);
      this.#sender.out.error(
        error instanceof MillraceError
          ? error
          : new MillraceError('internal', 'an unexpected error; the log has the details'),
      );
      void this.close();
    });
  }

  /** Does what its state asks for, until its group takes it along or it is gone. */
  async #goOn(): Promise<void> {
    for (;;) {
      const { course, out } = this.#sender;
      switch (course.at) {
        case 'history':
          await this.#readHistory(course);
          break;
        case 'joining':
          if (out.lagging) this.#sender.to({ type: 'lagged' });
          else await this.#catchUp(course);
          break;
        case 'lagging':
          await out.waitForDrain();
          this.#sender.to({ type: 'drained' });
          break;
        case 'live':
        case 'gone':
          return;
        default:
          return course satisfies never;
      }
    }
  }

  /** Streams stored rows; a reader that stays slow gives its place to others and goes on later. */
  async #readHistory({ liveFrom, place }: InHistory): Promise<void> {
    const { signal } = this.#abort;
    const leave = await this.#sources.slots.take(signal);
    try {
      const { selected, filter, rows } = this.group;
      const measurement = this.#sources.measurement(filter.measurement);
      const request = { filter, rows, measurement, selected, liveFrom, place, signal };
      const chunks = readHistory(this.#sources, request, (position) =>
        this.#sender.to({ type: 'opened', position }),
      );
      for await (const chunk of chunks) {
        if (this.state === 'gone') return;
        this.#sender.stored(chunk, selected);
        if (this.state !== 'history') return;
        await this.#sources.turns.next('lone');
        if (await this.#sender.out.waitForDrain(this.#sources.limits.historyPatienceMs)) continue;
        this.#sender.to({ type: 'lagged' });
        return;
      }
      this.#sender.to({ type: 'historyReached', place: null });
    } catch (error) {
      if (!(error instanceof JoinTooLarge || isCode(error, 'cursor_expired'))) throw error;
      // The rest of history cannot be told apart from what came since: it goes on with the live part.
      const fromNs = this.#sender.cursor.history?.timeNs ?? 0n;
      this.#sender.skip({ type: 'historyReached', place: null }, { fromNs, toNs: null });
    } finally {
      leave();
    }
  }

  /** Goes live if it has come that far, and otherwise reads on. */
  async #catchUp({ alone, plan, position }: Joining): Promise<void> {
    if (!alone && position >= plan.joinedAt) this.#sender.caughtUp();
    const { course } = this.#sender;
    if (course.at !== 'joining') return;
    if (mayJoin(course) && this.#host.join(this, position)) return;
    try {
      if (course.collapse) await this.#sendNewest(position);
      else await this.#sendNext(course);
    } catch (error) {
      if (!isCode(error, 'cursor_expired')) throw error;
      // The journal no longer has what comes next: it goes on from the oldest that it has.
      const { journal, times } = this.#sources;
      const oldest = journal.tail();
      this.#sender.skip({ type: 'reached', position: oldest }, droppedTimes(journal, times, position));
    }
    await this.#sources.turns.next('lone');
  }

  /** Sends what the block at the place holds, as much as the reader takes. */
  async #sendNext(course: Joining): Promise<void> {
    const { group } = this;
    const { position } = course;
    const send = async (block: DecodedBlock | undefined): Promise<void> => {
      if (block === undefined) {
        this.#sender.to({ type: 'reached', position });
        return;
      }
      const leftOutNs = minTimeNs(course);
      let outcome: BlockOutcome = 'split';
      if (leftOutNs === null) outcome = this.#sender.block(await group.encode(block, 'lone'), position);
      if (outcome === 'split') {
        const own = await group.encodeFrom(block, position, leftOutNs);
        outcome = this.#sender.block(own, position, true);
      }
      if (outcome === 'done') this.#sender.to({ type: 'reached', position: block.next });
    };
    await this.#sources.blocks.use(position, group.filter.measurement, send, this.#abort.signal);
  }

  /** Sends the newest row of each series that was missed. */
  async #sendNewest(from: number): Promise<void> {
    const { blocks, turns, journal, limits } = this.#sources;
    const { group } = this;
    const { selected } = group;
    const { signal } = this.#abort;
    const range = { from, until: journal.head(), maxSeries: limits.latestSeries };
    const newest = await newestRows({ blocks, turns }, group, selected, range, signal);
    const { rows } = newest;
    for (let start = 0; start < rows.length && this.state !== 'gone'; start += limits.messageRows) {
      const part = rows.slice(start, start + limits.messageRows);
      // Only the last message has all that came before its cursor.
      const reached = start + part.length >= rows.length ? newest.next : null;
      this.#sender.newest({ rows: part.length, rowsJson: part.join(',') }, selected, reached);
      await this.#sender.out.waitForDrain();
    }
    this.#sender.to({ type: 'reached', position: newest.next });
  }
}

function isCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof MillraceError && error.code === code;
}
