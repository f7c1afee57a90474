import { MillraceError } from '../core/index.ts';
import type { Journal } from '../journal/index.ts';
import {
  framesOf,
  inOrder,
  rowCount,
  type BlockReader,
  type DecodedBlock,
  type FrameRows,
} from './blocks.ts';
import { FilterIndex } from './filter-index.ts';
import type { Group } from './group.ts';
import type { Subscription } from './subscription.ts';
import type { Turns } from './turns.ts';

export interface LiveSources {
  readonly journal: Pick<Journal, 'head'>;
  readonly blocks: BlockReader;
  readonly turns: Turns;
  readonly onDefect: (error: unknown) => void;
}

/** The live subscriptions of one filter. */
interface LiveGroup {
  readonly filter: Group['filter'];
  readonly group: Group;
  readonly members: Set<Subscription>;
  /** Everything before it was delivered to all of them; so was what is before the hub's own position. */
  passed: number;
}

/** Groups without members that leave the index with each one that comes: more than come, so that they do not pile up. */
const LEAVE_WITH_EACH = 2;

/**
 * Those who follow the head. Each committed block is decoded once; the index says which groups it may have rows for, it is
 * encoded once for each of these, and handed to their members. A group that it has nothing for is not touched: its
 * position is the one that all have in common.
 */
export class LiveGroups {
  readonly #sources: LiveSources;
  readonly #live = new Map<Group, LiveGroup>();
  readonly #index = new FilterIndex<LiveGroup>();
  /** They have lost their last member and still stand in the index. */
  readonly #left = new Set<LiveGroup>();
  #leaving: Promise<void> | null = null;
  /** Every live group has all frames before it. */
  #position: number;
  /** The end of the block that is being delivered, whose groups are found already; else the position itself. */
  #until: number;
  #members = 0;
  #pumping = false;
  #failing = false;
  #pump: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(sources: LiveSources) {
    this.#sources = sources;
    this.#position = this.#until = sources.journal.head();
  }

  /** How many subscriptions are live. */
  get members(): number {
    return this.#members;
  }

  /**
   * Takes a subscription along that has what is before `position`; false when its group is further on, which it has
   * to read up to by itself.
   */
  join(subscription: Subscription, position: number): boolean {
    if (this.#failing) return false;
    const { group } = subscription;
    // Nobody waits for what was not seen yet: it need not be gone through.
    if (this.#live.size === 0 && !this.#pumping) {
      this.#position = this.#until = this.#sources.journal.head();
    }
    // The block that is under way goes to the groups that it was found for: a new one begins behind it.
    const known = this.#live.get(group);
    if (position < (known === undefined ? this.#until : this.#passed(known))) return false;
    const live = known ?? { filter: group.filter, group, members: new Set(), passed: this.#until };
    if (known === undefined) this.#enter(live);
    live.members.add(subscription);
    this.#members += 1;
    return true;
  }

  /** All members of the group have what is before it; 0 when it has none. */
  passed(group: Group): number {
    const live = this.#live.get(group);
    return live === undefined ? 0 : this.#passed(live);
  }

  part(subscription: Subscription): void {
    const live = this.#live.get(subscription.group);
    if (live?.members.delete(subscription) !== true) return;
    this.#members -= 1;
    if (live.members.size > 0) return;
    this.#live.delete(live.group);
    this.#left.add(live);
    this.#leaving ??= this.#leave();
  }

  /** Goes on to the head, unless it is on its way. */
  follow(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    this.#pump = this.#deliverToHead();
  }

  /** Resolves when nothing is read or delivered any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pump;
    await this.#leaving;
  }

  #passed({ passed }: LiveGroup): number {
    return Math.max(passed, this.#position);
  }

  #enter(live: LiveGroup): void {
    this.#live.set(live.group, live);
    this.#index.add(live);
    let others = LEAVE_WITH_EACH;
    for (const left of this.#left) {
      if (--others < 0) break;
      this.#left.delete(left);
      this.#index.remove(left);
    }
  }

  /** Takes the groups without members out of the index: when many clients go at once, not all in one turn. */
  async #leave(): Promise<void> {
    for (const left of this.#left) {
      await this.#sources.turns.pause('live');
      if (this.#left.delete(left)) this.#index.remove(left);
    }
    this.#leaving = null;
  }

  async #deliverToHead(): Promise<void> {
    const { journal, turns, onDefect } = this.#sources;
    try {
      while (!this.#closed && this.#live.size > 0 && this.#position < journal.head()) {
        await turns.next('live');
        await this.#deliverBlock();
      }
    } catch (error) {
      if (!(error instanceof MillraceError)) onDefect(error);
      this.#failing = true;
      await this.#sendAlone();
    } finally {
      this.#failing = this.#pumping = false;
    }
  }

  async #deliverBlock(): Promise<void> {
    const { blocks, turns } = this.#sources;
    const block = await blocks.at(this.#position, 'live');
    if (block === undefined) return;
    this.#until = block.next;
    for (const measurement of block.measurements) {
      if (!this.#index.has(measurement)) continue;
      const decoded = await block.of(measurement, 'live');
      for (const [live, runs] of await this.#index.find(measurement, decoded, turns)) {
        // One that came meanwhile is behind this block already.
        if (live.members.size === 0 || live.passed >= block.next) continue;
        await this.#deliverTo(live, decoded, runs);
      }
    }
    this.#position = block.next;
  }

  async #deliverTo(
    live: LiveGroup,
    block: DecodedBlock,
    runs: readonly (readonly FrameRows[])[] | null,
  ): Promise<void> {
    const { turns } = this.#sources;
    const frames = candidates(block, live.filter.devices, runs);
    if (turns.over) await turns.next('live');
    if (frames.length === 0) return;
    const encoded = await live.group.encode(block, 'live', frames);
    if (encoded.chunks.length > 0) {
      for (const member of live.members) {
        if (!member.deliver(encoded, this.#passed(live))) this.part(member);
        if (turns.over) await turns.next('live');
      }
    }
    live.passed = block.next;
  }

  /** Each reader meets the trouble by itself, and says so to its client. */
  async #sendAlone(): Promise<void> {
    const { turns } = this.#sources;
    for (const live of this.#live.values()) {
      for (const member of live.members) {
        const passed = this.#passed(live);
        this.part(member);
        member.goAlone(passed);
        if (turns.over) await turns.next('live');
      }
    }
  }
}

/** The frames that may have rows for a filter: those of its devices, or those that were found, whichever are fewer. */
function candidates(
  block: DecodedBlock,
  devices: readonly string[],
  runs: readonly (readonly FrameRows[])[] | null,
): readonly FrameRows[] {
  if (runs === null) return framesOf(block, devices);
  const found = inOrder(runs);
  if (devices.length === 0) return found;
  const ofDevices = framesOf(block, devices);
  return rowCount(ofDevices) < rowCount(found) ? ofDevices : found;
}
