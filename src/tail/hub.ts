import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  MillraceError,
  Places,
  selectColumns,
  steadyClock,
  type Clock,
  type Measurement,
  type SelectedColumns,
} from '../core/index.ts';
import type { Journal, SettledTimes } from '../journal/index.ts';
import { findMeasurement, type Registry } from '../registry/index.ts';
import type { Store } from '../store/index.ts';
import { BlockReader } from './blocks.ts';
import { filterKey } from './filter.ts';
import { EncodedCache, Group } from './group.ts';
import type { TailLimits } from './limits.ts';
import type { TailCounts, TailSink } from './outlet.ts';
import type { SubscribeRequest } from './request.ts';
import { Subscription, type SubscriptionHost } from './subscription.ts';

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

/**
 * The subscriptions and the journal between them. It follows the head: each committed block is decoded once,
 * encoded once for each filter with live members, and handed to those. It knows nothing of sockets.
 */
export class TailHub implements SubscriptionHost {
  readonly journal: Journal;
  readonly store: Pick<Store, 'rows'>;
  readonly clock: Clock;
  readonly limits: TailLimits;
  readonly maxTimeAheadMs: number;
  readonly times: Pick<SettledTimes, 'between'>;
  readonly blocks: BlockReader;
  readonly slots: Places;
  readonly messageRows: number;
  readonly joinRows: number;
  readonly inherited: number;
  readonly counts: TailCounts = { rows: 0, messages: 0, gaps: 0, lags: 0 };
  readonly onDefect: (error: unknown) => void;
  readonly registry: Registry;
  readonly #encoded: EncodedCache;
  readonly #groups = new Map<string, Group>();
  readonly #liveGroups = new Set<Group>();
  /** With what to call when it ends. */
  readonly #subscriptions = new Map<Subscription, () => void>();
  readonly #stops: (() => void)[];
  /** Every live group has all frames before it. */
  #position: number;
  #pumping = false;
  #pump: Promise<void> = Promise.resolve();
  #groupsMade = 0;
  #closed = false;

  constructor(parts: HubParts) {
    this.journal = parts.journal;
    this.store = parts.store;
    this.clock = parts.clock;
    this.limits = parts.limits;
    this.maxTimeAheadMs = parts.maxTimeAheadMs;
    this.times = parts.times;
    this.onDefect = parts.onDefect;
    this.registry = parts.registry;
    this.messageRows = parts.limits.messageRows;
    this.joinRows = parts.limits.joinRows;
    this.blocks = new BlockReader(
      parts.journal,
      parts.registry,
      parts.limits.decodedBlocks,
      (position, cause) =>
        parts.onDefect(new Error(`the frame at position ${position} cannot be decoded`, { cause })),
    );
    this.slots = new Places(parts.limits.historyReads);
    this.#encoded = new EncodedCache(parts.limits.encodedChars);
    this.inherited = parts.journal.head();
    this.#position = this.inherited;
    const timer = setInterval(() => this.#tick(), parts.limits.progressMs / TICKS_PER_PROGRESS);
    timer.unref();
    this.#stops = [
      () => clearInterval(timer),
      parts.journal.onCommit(() => this.#follow()),
      parts.registry.onChange(() => this.#selectAgain()),
    ];
  }

  /**
   * Starts a subscription; its messages go to `sink`, the first one during this call, and `onEnd` hears of its
   * end, by whomever. Throws
   * `measurement_unknown`, `field_unknown` or `cursor_invalid`.
   */
  subscribe(request: SubscribeRequest, sink: TailSink, onEnd: () => void): Subscription {
    const { filter, start } = request;
    const measurement = this.measurement(filter.measurement);
    const selected = selectColumns(measurement, filter.fields);
    if (start.at === 'cursor' && start.cursor.epoch === this.journal.epoch) {
      if (start.cursor.position > this.journal.head()) {
        throw new MillraceError('cursor_invalid', 'the cursor is ahead of the journal');
      }
    }
    const subscription = new Subscription(this, this.#group(request, selected), request, sink);
    subscription.group.holders += 1;
    this.#subscriptions.set(subscription, onEnd);
    subscription.start(start);
    return subscription;
  }

  measurement(name: string): Measurement {
    return findMeasurement(this.registry, name);
  }

  attach(subscription: Subscription): boolean {
    const { group } = subscription;
    // Nobody waits for what the hub has not seen yet: it need not go through it.
    if (this.#liveGroups.size === 0 && !this.#pumping) this.#position = this.journal.head();
    const floor = this.#liveGroups.has(group) ? group.position : this.#position;
    if (subscription.position < floor) return false;
    if (!this.#liveGroups.has(group)) {
      group.position = floor;
      this.#liveGroups.add(group);
    }
    group.live.add(subscription);
    this.#follow();
    return true;
  }

  detach(subscription: Subscription): void {
    const { group } = subscription;
    group.live.delete(subscription);
    if (group.live.size === 0) this.#liveGroups.delete(group);
  }

  ended(subscription: Subscription): void {
    this.#subscriptions.get(subscription)?.();
    if (!this.#subscriptions.delete(subscription)) return;
    const { group } = subscription;
    group.holders -= 1;
    if (group.holders === 0) this.#groups.delete(group.key);
  }

  /** Numbers of the moment, and totals since the start. */
  stats(): { subscriptions: number; groups: number; live: number } & TailCounts {
    let live = 0;
    for (const group of this.#liveGroups) live += group.live.size;
    return { subscriptions: this.#subscriptions.size, groups: this.#groups.size, live, ...this.counts };
  }

  /** Ends every subscription without a message and waits until nothing reads any more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const stop of this.#stops) stop();
    await Promise.all([...this.#subscriptions.keys()].map((subscription) => subscription.close()));
    await this.#pump;
  }

  #group(request: SubscribeRequest, selected: SelectedColumns): Group {
    const key = filterKey(request.filter);
    let group = this.#groups.get(key);
    if (group === undefined) {
      const options = { epoch: this.journal.epoch, messageRows: this.limits.messageRows };
      this.#groupsMade += 1;
      group = new Group(this.#groupsMade, key, request.filter, selected, this.#encoded, options);
      this.#groups.set(key, group);
    }
    return group;
  }

  #follow(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    this.#pump = this.#deliverToHead();
  }

  async #deliverToHead(): Promise<void> {
    try {
      while (!this.#closed && this.#liveGroups.size > 0 && this.#position < this.journal.head()) {
        await this.#deliverBlock();
        await nextTurn();
      }
    } catch (error) {
      if (!(error instanceof MillraceError)) this.onDefect(error);
      // Each reader meets the trouble by itself, and says so to its client.
      for (const group of this.#liveGroups) for (const member of group.live) member.goAlone();
    } finally {
      this.#pumping = false;
    }
  }

  async #deliverBlock(): Promise<void> {
    let next = this.journal.head();
    // A group that joins meanwhile comes last in the set and is met, too.
    for (const group of this.#liveGroups) {
      const block = this.blocks.read(this.#position, group.filter.measurement);
      if (block === undefined) return;
      next = block.next;
      const encoded = await group.encode(block);
      let untilTurn = MEMBERS_PER_TURN;
      if (encoded.chunks.length > 0) {
        for (const member of group.live) {
          member.deliver(encoded);
          untilTurn -= 1;
          if (untilTurn > 0) continue;
          untilTurn = MEMBERS_PER_TURN;
          await nextTurn();
        }
      }
      group.position = Math.max(group.position, block.next);
    }
    this.#position = next;
  }

  #selectAgain(): void {
    for (const group of this.#groups.values()) {
      const measurement = this.registry.measurement(group.filter.measurement);
      if (measurement !== undefined) group.select(selectColumns(measurement, group.filter.fields));
    }
  }

  #tick(): void {
    const nowMs = steadyClock.nowMs();
    for (const subscription of this.#subscriptions.keys()) subscription.tick(nowMs);
  }
}
