import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  MillraceError,
  Places,
  selectColumns,
  steadyClock,
  type Clock,
  type SelectedColumns,
} from '../core/index.ts';
import type { Journal, SettledTimes } from '../journal/index.ts';
import { findMeasurement, type Registry } from '../registry/index.ts';
import type { Store } from '../store/index.ts';
import { BlockReader } from './blocks.ts';
import { filterKey, type TailFilter } from './filter.ts';
import { EncodedCache, Group } from './group.ts';
import type { TailLimits } from './limits.ts';
import type { TailCounts, TailSink } from './outlet.ts';
import type { SubscribeRequest } from './request.ts';
import { Subscription, type SubscriptionHost, type SubscriptionSources } from './subscription.ts';

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

/** Live members that get their message before the event loop gets its turn. */
const MEMBERS_PER_TURN = 64;
/** How often silent subscriptions are looked for, as a part of the time that they may be silent. */
const TICKS_PER_PROGRESS = 5;

/** The subscriptions of one filter that are live. */
interface LiveGroup {
  readonly members: Set<Subscription>;
  /** Everything before it was delivered to all of them. */
  position: number;
}

/**
 * The subscriptions and the journal between them. It follows the head: each committed block is decoded once,
 * encoded once for each filter with live members, and handed to those. It knows nothing of sockets, and of a
 * subscription only whether it is live: its course is its own.
 */
export class TailHub implements SubscriptionHost {
  readonly registry: Registry;
  readonly epoch: string;
  readonly onDefect: (error: unknown) => void;
  readonly #journal: Journal;
  readonly #sources: SubscriptionSources;
  readonly #encoded: EncodedCache;
  /** The groups by filter, each with the number of subscriptions that have it. */
  readonly #groups = new Map<string, { group: Group; holders: number }>();
  readonly #live = new Map<Group, LiveGroup>();
  /** Every subscription, with what to call when it ends. */
  readonly #subscriptions = new Map<Subscription, () => void>();
  readonly #stops: (() => void)[];
  /** Every live group has all frames before it. */
  #position: number;
  #pumping = false;
  #pump: Promise<void> = Promise.resolve();
  #groupsMade = 0;
  #closed = false;

  constructor(parts: HubParts) {
    const { journal, registry, limits, onDefect } = parts;
    this.registry = registry;
    this.epoch = journal.epoch;
    this.onDefect = onDefect;
    this.#journal = journal;
    this.#position = journal.head();
    this.#encoded = new EncodedCache(limits.encodedChars);
    this.#sources = {
      journal,
      store: parts.store,
      blocks: new BlockReader(journal, registry, limits.decodedBlocks, (position, cause) =>
        onDefect(new Error(`the frame at position ${position} cannot be decoded`, { cause })),
      ),
      messageRows: limits.messageRows,
      joinRows: limits.joinRows,
      inherited: this.#position,
      clock: parts.clock,
      limits,
      maxTimeAheadMs: parts.maxTimeAheadMs,
      times: parts.times,
      slots: new Places(limits.historyReads),
      counts: { rows: 0, messages: 0, gaps: 0, lags: 0 },
      measurement: (name) => findMeasurement(registry, name),
      onDefect,
    };
    const timer = setInterval(() => this.#tick(), limits.progressMs / TICKS_PER_PROGRESS);
    timer.unref();
    this.#stops = [
      () => clearInterval(timer),
      journal.onCommit(() => this.#follow()),
      registry.onChange(() => this.#selectAgain()),
    ];
  }

  /**
   * Starts a subscription; its messages go to `sink`, the first one during this call, and `onEnd` hears of its
   * end, by whomever. Throws `measurement_unknown`, `field_unknown` or `cursor_invalid`.
   */
  subscribe(request: SubscribeRequest, sink: TailSink, onEnd: () => void): Subscription {
    const { filter, start } = request;
    const measurement = this.#sources.measurement(filter.measurement);
    const selected = selectColumns(measurement, filter.fields);
    if (start.at === 'cursor' && start.cursor.epoch === this.epoch) {
      if (start.cursor.position > this.#journal.head()) {
        throw new MillraceError('cursor_invalid', 'the cursor is ahead of the journal');
      }
    }
    const group = this.#hold(filter, selected);
    const subscription = new Subscription(this, this.#sources, group, request, sink);
    this.#subscriptions.set(subscription, onEnd);
    subscription.start();
    return subscription;
  }

  join(subscription: Subscription, position: number): boolean {
    const { group } = subscription;
    // Nobody waits for what the hub has not seen yet: it need not go through it.
    if (this.#live.size === 0 && !this.#pumping) this.#position = this.#journal.head();
    const live = this.#live.get(group) ?? { members: new Set(), position: this.#position };
    if (position < live.position) return false;
    live.members.add(subscription);
    this.#live.set(group, live);
    subscription.joined();
    this.#follow();
    return true;
  }

  passed(group: Group): number {
    return this.#live.get(group)?.position ?? 0;
  }

  ended(subscription: Subscription): void {
    const onEnd = this.#subscriptions.get(subscription);
    this.#subscriptions.delete(subscription);
    this.#part(subscription);
    this.#release(subscription.group);
    onEnd?.();
  }

  /** Numbers of the moment, and totals since the start. */
  stats(): { subscriptions: number; groups: number; live: number } & TailCounts {
    let live = 0;
    for (const { members } of this.#live.values()) live += members.size;
    return {
      subscriptions: this.#subscriptions.size,
      groups: this.#groups.size,
      live,
      ...this.#sources.counts,
    };
  }

  /** Ends every subscription without a message and waits until nothing reads any more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    await Promise.all([...this.#subscriptions.keys()].map((subscription) => subscription.close()));
    await this.#pump;
  }

  #hold(filter: TailFilter, selected: SelectedColumns): Group {
    const key = filterKey(filter);
    let held = this.#groups.get(key);
    if (held === undefined) {
      const options = { epoch: this.epoch, messageRows: this.#sources.messageRows };
      this.#groupsMade += 1;
      const group = new Group(this.#groupsMade, key, filter, selected, this.#encoded, options);
      held = { group, holders: 0 };
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

  #part(subscription: Subscription): void {
    const live = this.#live.get(subscription.group);
    live?.members.delete(subscription);
    if (live?.members.size === 0) this.#live.delete(subscription.group);
  }

  #follow(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    this.#pump = this.#deliverToHead();
  }

  async #deliverToHead(): Promise<void> {
    try {
      while (!this.#closed && this.#live.size > 0 && this.#position < this.#journal.head()) {
        await this.#deliverBlock();
        await nextTurn();
      }
    } catch (error) {
      if (!(error instanceof MillraceError)) this.onDefect(error);
      // Each reader meets the trouble by itself, and says so to its client.
      const groups = [...this.#live.values()];
      this.#live.clear();
      for (const { members, position } of groups) for (const member of members) member.goAlone(position);
    } finally {
      this.#pumping = false;
    }
  }

  async #deliverBlock(): Promise<void> {
    let next = this.#journal.head();
    // A group that joins meanwhile comes last in the map and is met, too.
    for (const [group, live] of this.#live) {
      const block = this.#sources.blocks.read(this.#position, group.filter.measurement);
      if (block === undefined) return;
      next = block.next;
      const encoded = await group.encode(block);
      let untilTurn = MEMBERS_PER_TURN;
      if (encoded.chunks.length > 0) {
        for (const member of live.members) {
          if (!member.deliver(encoded, live.position)) this.#part(member);
          untilTurn -= 1;
          if (untilTurn > 0) continue;
          untilTurn = MEMBERS_PER_TURN;
          await nextTurn();
        }
      }
      live.position = Math.max(live.position, block.next);
    }
    this.#position = next;
  }

  #selectAgain(): void {
    for (const { group } of this.#groups.values()) {
      const measurement = this.registry.measurement(group.filter.measurement);
      if (measurement !== undefined) group.select(selectColumns(measurement, group.filter.fields));
    }
  }

  #tick(): void {
    const nowMs = steadyClock.nowMs();
    for (const subscription of this.#subscriptions.keys()) subscription.tick(nowMs);
  }
}
