import type { ByTransport, DeadLetter } from '../journal.ts';
import { addReadings, type JournalState, type LettersState } from './state.ts';
import type { Change, Storage } from './storage.ts';
import { deadLetter, type FoundLetter, parseLetterId, type StoredLetter } from './stored-letter.ts';

export interface LetterLimits {
  maxDeadLetters: number;
  maxDeadLetterBytes: number;
  /** Since it became a dead letter. */
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

/** Letters that one transaction removes for their age at most. */
const MAX_REMOVED = 1_000;

/**
 * Takes the replayed letters away, adds the new ones and drops the oldest over the limits. Those of them that
 * were acknowledged frames count as expired from then on; those refused before the ack stay `rejected`.
 */
export function keepLetters(
  state: JournalState,
  { replayed, added }: { replayed: readonly FoundLetter[]; added: readonly AddedLetter[] },
  storage: Pick<Storage, 'lettersFrom'>,
  limits: LetterLimits,
  nowMs: number,
): KeptLetters {
  let { oldest, next, count, bytes, oldestMs, dropped } = state.letters;
  const removed = new Set<number>();
  const written = new Map<number, StoredLetter>();
  for (const { id, letter } of replayed) {
    removed.add(id);
    count--;
    bytes -= letter.size;
  }
  for (const { id: known, letter } of added) {
    const id = known === null || written.has(known) ? next++ : known;
    written.set(id, letter);
    oldest = Math.min(oldest, id);
    oldestMs = Math.min(oldestMs ?? letter.sinceMs, letter.sinceMs);
    count++;
    bytes += letter.size;
  }
  const expired: ByTransport = { ws: 0, http: 0, mqtt: 0 };
  let more = false;
  // The newest stays even when it alone is over the limit in bytes.
  const tooMuch = (): boolean =>
    count > limits.maxDeadLetters || (bytes > limits.maxDeadLetterBytes && count > 1);
  const tooOld = (sinceMs: number): boolean => nowMs - sinceMs > limits.maxDeadLetterAgeMs;
  if (tooMuch() || (oldestMs !== null && tooOld(oldestMs))) {
    const startCount = count;
    let front: FoundLetter | null = null;
    for (const found of inOrder(storage.lettersFrom(oldest), written)) {
      if (removed.has(found.id)) continue;
      const { id, letter } = found;
      more = startCount - count >= MAX_REMOVED;
      if (!tooMuch() && (more || !tooOld(letter.sinceMs))) {
        front = found;
        break;
      }
      if (!written.delete(id)) removed.add(id);
      count--;
      bytes -= letter.size;
      dropped++;
      if (letter.kind === 'deadLettered') expired[letter.transport] += letter.readings;
    }
    oldest = front?.id ?? next;
    oldestMs = front?.letter.sinceMs ?? null;
  } else if (count === 0) {
    oldest = next;
    oldestMs = null;
  }
  const { counts } = state;
  const restored = { ws: -expired.ws, http: -expired.http, mqtt: -expired.mqtt };
  return {
    letters: [...written].map(([id, letter]) => ({ id, letter })),
    removedLetters: [...removed],
    more,
    state: {
      ...state,
      letters: { oldest, next, count, bytes, oldestMs, dropped },
      counts: {
        ...counts,
        deadLettered: addReadings(counts.deadLettered, restored),
        expired: addReadings(counts.expired, expired),
      },
    },
  };
}

/** Stored and new letters together, by id. */
function* inOrder(
  stored: Iterable<FoundLetter>,
  written: ReadonlyMap<number, StoredLetter>,
): Generator<FoundLetter, void, undefined> {
  const fresh = [...written].map(([id, letter]) => ({ id, letter })).toSorted((a, b) => a.id - b.id);
  let at = 0;
  for (const found of stored) {
    for (let first = fresh[at]; first !== undefined && first.id < found.id; first = fresh[++at]) yield first;
    yield found;
  }
  yield* fresh.slice(at);
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
