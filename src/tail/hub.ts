import { MillraceError, Places, steadyClock, type Clock } from '../core/index.ts';
import type { Journal, SettledTimes } from '../journal/index.ts';
import { findMeasurement, type Registry } from '../registry/index.ts';
import type { Store } from '../store/index.ts';
import { BlockReader } from './blocks.ts';
import { ColumnChoices } from './column-choices.ts';
import { FilterBudget } from './filter-budget.ts';
import { filterKey, type TailFilter } from './filter.ts';
import { EncodedCache, Group, type GroupSources } from './group.ts';
import type { TailLimits } from './limits.ts';
import { LiveGroups } from './live.ts';
import type { TailCounts, TailSink } from './outlet.ts';
import type { SubscribeRequest } from './request.ts';
import { Subscription, type SubscriptionHost, type SubscriptionSources } from './subscription.ts';
import { Turns } from './turns.ts';

export interface HubParts {
  journal: Journal;
  registry: Registry;
  store: Pick<Store, 'rows'>;
  clock: Clock;
  limits: TailLimits;
  /** How far ahead of its receipt a row's time may lie. */
  maxTimeAheadMs: number;
  /** The times of what the journal has dropped, as far as they are known. */
  times: Pick<SettledTimes, 'between'>;
  /** Hears of defects: errors without a stable code, and journaled frames that cannot be decoded. */
  onDefect: (error: unknown) => void;
}

/** How often silent subscriptions are looked for, as a part of the time that they may be silent. */
const TICKS_PER_PROGRESS = 5;

/**
 * The subscriptions and the journal between them. It knows nothing of sockets, and of a subscription only whether it is
 * live: its course is its own. See LiveGroups for how those that are get their rows.
 */
export class TailHub implements SubscriptionHost {
  readonly registry: Registry;
  readonly epoch: string;
  readonly onDefect: (error: unknown) => void;
  readonly #journal: Journal;
  readonly #sources: SubscriptionSources;
  readonly #ofGroups: GroupSources;
  /** The groups by filter, each with the number of subscriptions that have it. */
  readonly #groups = new Map<string, { group: Group; holders: number }>();
  readonly #live: LiveGroups;
  readonly #budget: FilterBudget;
  /** Every subscription, with what to call when it ends. */
  readonly #subscriptions = new Map<Subscription, { sink: TailSink; onEnd: () => void }>();
  readonly #turns: Turns;
  readonly #stops: (() => void)[];
  #groupsMade = 0;
  #ticking = false;
  #ticked: Promise<void> = Promise.resolve();

  constructor(parts: HubParts) {
    const { journal, registry, limits, onDefect } = parts;
    this.registry = registry;
    this.epoch = journal.epoch;
    this.onDefect = onDefect;
    this.#journal = journal;
    const choices = new ColumnChoices(registry);
    const counts = { rows: 0, messages: 0, gaps: 0, lags: 0, looks: 0, rowsLooked: 0 };
    const turns = (this.#turns = new Turns(limits.sliceMs));
    const blocks = new BlockReader(journal, registry, limits.decodedBlocks, turns, (position, cause) =>
      onDefect(new Error(`the frame at position ${position} cannot be decoded`, { cause })),
    );
    this.#sources = {
      journal,
      store: parts.store,
      blocks,
      turns,
      messageRows: limits.messageRows,
      joinRows: limits.joinRows,
      inherited: journal.head(),
      clock: parts.clock,
      limits,
      maxTimeAheadMs: parts.maxTimeAheadMs,
      times: parts.times,
      slots: new Places(limits.historyReads),
      counts,
      measurement: (name) => findMeasurement(registry, name),
      onDefect,
    };
    this.#ofGroups = {
      cache: new EncodedCache(limits.encodedChars),
      choices,
      turns,
      counts,
      epoch: journal.epoch,
      messageRows: limits.messageRows,
    };
    this.#live = new LiveGroups({ journal, blocks, turns, onDefect });
    this.#budget = new FilterBudget(limits);
    const timer = setInterval(() => {
      if (!this.#ticking) this.#ticked = this.#tick();
    }, limits.progressMs / TICKS_PER_PROGRESS);
    timer.unref();
    this.#stops = [
      () => clearInterval(timer),
      journal.onCommit(() => this.#live.follow()),
      registry.onChange(() => choices.change()),
    ];
  }

  /**
   * Starts a subscription; its messages go to `sink`, the first one during this call, and `onEnd` hears of its
   * end, by whomever. Throws `measurement_unknown`, `field_unknown`, `cursor_invalid` or `too_many_subscriptions`.
   */
  subscribe(request: SubscribeRequest, sink: TailSink, onEnd: () => void): Subscription {
    const { filter, start } = request;
    if (start.at === 'cursor' && start.cursor.epoch === this.epoch) {
      if (start.cursor.position > this.#journal.head()) {
        throw new MillraceError('cursor_invalid', 'the cursor is ahead of the journal');
      }
    }
    this.#budget.take(sink, filter);
    let group;
    try {
      group = this.#hold(filter);
    } catch (error) {
      this.#budget.giveBack(sink, filter);
      throw error;
    }
    const subscription = new Subscription(this, this.#sources, group, request, sink);
    this.#subscriptions.set(subscription, { sink, onEnd });
    subscription.start();
    return subscription;
  }

  join(subscription: Subscription, position: number): boolean {
    if (!this.#live.join(subscription, position)) return false;
    subscription.joined();
    this.#live.follow();
    return true;
  }

  passed(group: Group): number {
    return this.#live.passed(group);
  }

  ended(subscription: Subscription): void {
    const entry = this.#subscriptions.get(subscription);
    if (entry === undefined) return;
    this.#subscriptions.delete(subscription);
    this.#live.part(subscription);
    this.#release(subscription.group);
    this.#budget.giveBack(entry.sink, subscription.group.filter);
    entry.onEnd();
  }

  /** Numbers of the moment, and totals since the start. */
  stats(): { subscriptions: number; groups: number; live: number; filterBytes: number } & TailCounts {
    return {
      subscriptions: this.#subscriptions.size,
      groups: this.#groups.size,
      live: this.#live.members,
      filterBytes: this.#budget.bytes,
      ...this.#sources.counts,
    };
  }

  /** Ends every subscription without a message and waits until nothing reads any more. */
  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    const closed: Promise<void>[] = [];
    for (const subscription of this.#subscriptions.keys()) {
      closed.push(subscription.close());
      if (this.#turns.over) await this.#turns.next('live');
    }
    await Promise.all(closed);
    await this.#live.close();
    await this.#ticked;
  }

  /** Throws `measurement_unknown` or `field_unknown`. */
  #hold(filter: TailFilter): Group {
    const key = filterKey(filter);
    let held = this.#groups.get(key);
    if (held === undefined) {
      this.#groupsMade += 1;
      held = { group: new Group(this.#groupsMade, key, filter, this.#ofGroups), holders: 0 };
      this.#groups.set(key, held);
    }
    held.holders += 1;
    return held.group;
  }

  #release({ key }: Group): void {
    const held = this.#groups.get(key);
    if (held === undefined) return;
    held.holders -= 1;
    if (held.holders === 0) this.#groups.delete(key);
  }

  async #tick(): Promise<void> {
    this.#ticking = true;
    for (const subscription of this.#subscriptions.keys()) {
      if (this.#turns.over) await this.#turns.next('live');
      subscription.tick(steadyClock.nowMs());
    }
    this.#ticking = false;
  }
}
