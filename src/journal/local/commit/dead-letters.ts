import { byTransport, addReadings, NO_READINGS, type ByTransport } from '../../../core/index.ts';
import type { DeadLetter } from '../../journal.ts';
import { type JournalState, type LettersState } from '../format/state.ts';
import type { Change, Storage } from '../lmdb/storage.ts';
import type { LetterShares, SharedLimits } from './letter-shares.ts';
import {
  deadLetter,
  type FoundLetter,
  parseLetterId,
  type StoredLetter,
  type WalkedLetter,
} from '../format/stored-letter.ts';

export interface LetterLimits extends SharedLimits {
  /** How long a letter is kept after the frame became one. */
  maxDeadLetterAgeMs: number;
}

/** A dead letter that comes: under the next id, or under the one that it had before it was replayed. */
export interface AddedLetter {
  id: number | null;
  letter: StoredLetter;
}

export interface KeptLetters extends Pick<Change, 'letters' | 'removedLetters'> {
  state: JournalState;
  /** Letters that are too old may be left for a next transaction. */
  more: boolean;
}

/** Letters that one transaction removes at most, or twice as many as it adds: the rest is for the next one. */
const MAX_REMOVED = 1_000;
/** Letters that it reads at most while it looks for rejected ones among others … */
const MAX_READ = 5_000;
/** … and bytes of letters that it reads at all: both hold the event loop. */
const MAX_READ_BYTES = 32 * 1024 ** 2;

/**
 * Takes the replayed letters away, adds the new ones and drops what is over the limits: by age the oldest; by
 * number and bytes first the frames that were refused before their ack, the oldest of them first, those of devices that
 * have more than their share before all others, and only then
 * those that were acknowledged, which count as expired from then on. The rejected stay `rejected`.
 */
export function keepLetters(
  state: JournalState,
  { replayed, added }: { replayed: readonly FoundLetter[]; added: readonly AddedLetter[] },
  storage: Pick<Storage, 'lettersFrom'>,
  shares: LetterShares,
  limits: LetterLimits,
  nowMs: number,
): KeptLetters {
  const kept = new Letters(state.letters, storage, shares);
  for (const letter of replayed) kept.takeAway(letter);
  for (const { id, letter } of added) kept.add(id, letter);
  kept.drop(limits, nowMs, Math.max(MAX_REMOVED, 2 * added.length));
  const { expired } = kept;
  const { counts } = state;
  const restored = byTransport((transport) => -expired[transport]);
  return {
    letters: [...kept.written].map(([id, letter]) => ({ id, letter })),
    removedLetters: [...kept.removed],
    more: kept.more,
    state: {
      ...state,
      letters: kept.state,
      counts: {
        ...counts,
        deadLettered: addReadings(counts.deadLettered, restored),
        expired: addReadings(counts.expired, expired),
      },
    },
  };
}

/** The letters as they will be after a transaction. */
class Letters {
  readonly written = new Map<number, StoredLetter>();
  readonly removed = new Set<number>();
  /** Readings of acknowledged frames among the dropped. */
  readonly expired: ByTransport = { ...NO_READINGS };
  /** Some that are over the limits are left for a next transaction. */
  more = false;
  readonly state: LettersState;
  #readBytes = 0;
  readonly #storage: Pick<Storage, 'lettersFrom'>;
  readonly #shares: LetterShares;

  constructor(before: LettersState, storage: Pick<Storage, 'lettersFrom'>, shares: LetterShares) {
    this.state = { ...before, rejected: { ...before.rejected } };
    this.#storage = storage;
    this.#shares = shares;
  }

  takeAway({ id, letter }: FoundLetter): void {
    this.removed.add(id);
    this.#shares.remove(letter.device, id);
    this.#count(letter, -1);
  }

  /** Under the id that it had, or the next one. */
  add(known: number | null, letter: StoredLetter): void {
    const { state } = this;
    const id = known === null || this.written.has(known) ? state.next++ : known;
    this.written.set(id, letter);
    if (state.rejected.count === 0) state.rejected.oldest = id;
    state.oldest = Math.min(state.oldest, id);
    state.oldestMs = Math.min(state.oldestMs ?? letter.sinceMs, letter.sinceMs);
    this.#shares.add({ id, letter });
    this.#count(letter, 1);
  }

  drop(limits: LetterLimits, nowMs: number, budget: number): void {
    const { state } = this;
    const tooMuch = (): boolean =>
      // The newest stays even when it alone is over the limit in bytes.
      state.count > limits.maxDeadLetters || (state.bytes > limits.maxDeadLetterBytes && state.count > 1);
    const tooOld = (sinceMs: number): boolean => nowMs - sinceMs > limits.maxDeadLetterAgeMs;
    const least = state.count - budget;
    const left = (): boolean => {
      this.more ||= state.count <= least || this.#readBytes > MAX_READ_BYTES;
      return !this.more;
    };
    if (state.oldestMs !== null && tooOld(state.oldestMs)) {
      this.#dropOldest(({ letter }) => (letter === null || tooOld(letter.sinceMs)) && left());
    }
    while (tooMuch() && left() && this.#dropSurplus());
    if (tooMuch()) this.#dropRejected(() => tooMuch() && left());
    if (tooMuch() && left()) this.#dropOldest(() => tooMuch() && left());
    if (state.count > 0) return;
    state.oldest = state.next;
    state.oldestMs = null;
    // A damaged record takes bytes along that nobody knows.
    state.bytes = 0;
  }

  /** From the front on, while `goes` says so. */
  #dropOldest(goes: (found: WalkedLetter) => boolean): void {
    const { state } = this;
    const from = state.oldest;
    state.oldest = state.next;
    for (const found of this.#from(from)) {
      if (goes(found)) {
        this.#drop(found);
        continue;
      }
      state.oldest = found.id;
      // Nobody knows the age of a damaged one; it is no older than the one before it.
      state.oldestMs = found.letter?.sinceMs ?? state.oldestMs;
      return;
    }
  }

  /** The rejected ones among them, from the oldest on, and damaged ones on the way. */
  #dropRejected(goes: () => boolean): void {
    const { state } = this;
    let read = 0;
    for (const found of this.#from(Math.max(state.rejected.oldest, state.oldest))) {
      if (state.rejected.count === 0) return;
      if (++read > MAX_READ || this.#readBytes > MAX_READ_BYTES) {
        state.rejected.oldest = found.id;
        this.more = true;
        return;
      }
      if (found.letter?.kind === 'deadLettered') continue;
      state.rejected.oldest = found.id;
      if (!goes()) return;
      this.#drop(found);
    }
    // Some of them were damaged and so dropped without being known as rejected.
    state.rejected = { oldest: state.next, count: 0 };
  }

  /** One of a device that has more than its share; false where there is none. */
  #dropSurplus(): boolean {
    const { state } = this;
    const found = this.#shares.surplus();
    if (found === null) return false;
    const { device, id, size } = found;
    this.#shares.remove(device, id);
    if (!this.written.delete(id)) this.removed.add(id);
    state.dropped++;
    state.count--;
    state.bytes -= size;
    state.rejected.count--;
    return true;
  }

  #drop({ id, letter }: WalkedLetter): void {
    if (letter !== null) this.#shares.remove(letter.device, id);
    if (!this.written.delete(id)) this.removed.add(id);
    this.state.dropped++;
    // A damaged letter does not tell its kind: it counts as acknowledged, so that no loss goes uncounted.
    if (letter?.kind !== 'rejected') this.state.droppedAcked++;
    if (letter === null) this.state.count--;
    else this.#count(letter, -1);
    if (letter?.kind === 'deadLettered') this.expired[letter.transport] += letter.readings;
  }

  #count({ kind, size }: StoredLetter, sign: 1 | -1): void {
    const { state } = this;
    state.count += sign;
    state.bytes += sign * size;
    if (kind === 'rejected') state.rejected.count += sign;
  }

  /** Stored and new ones together, by id, but what was removed. */
  *#from(first: number): Generator<WalkedLetter, void, undefined> {
    const fresh = [...this.written]
      .filter(([id]) => id >= first)
      .map(([id, letter]) => ({ id, letter }))
      .toSorted((a, b) => a.id - b.id);
    let at = 0;
    for (const found of this.#storage.lettersFrom(first)) {
      for (let next = fresh[at]; next !== undefined && next.id < found.id; next = fresh[++at]) yield next;
      this.#readBytes += found.letter?.size ?? 0;
      if (!this.removed.has(found.id)) yield found;
    }
    yield* fresh.slice(at);
  }
}

/** Newest first, with ids below `before`. Throws `cursor_invalid` for a text that is no id. */
export function listLetters(
  storage: Pick<Storage, 'letters'>,
  { oldest, next }: LettersState,
  limit: number,
  before?: string,
): DeadLetter[] {
  const end = Math.min(before === undefined ? next : parseLetterId(before), next);
  const found = storage.letters(end, limit);
  return found.filter(({ id }) => id >= oldest).map(({ id, letter }) => deadLetter(id, letter));
}

/** One of them. Throws as above. */
export function findLetter(
  storage: Pick<Storage, 'letter'>,
  { oldest }: LettersState,
  text: string,
): DeadLetter | undefined {
  const id = parseLetterId(text);
  const letter = storage.letter(id);
  return letter === undefined || id < oldest ? undefined : deadLetter(id, letter);
}
