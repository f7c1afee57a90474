import type { DeadLetter, Journal } from './journal.ts';

/** Which dead letters; what is missing narrows nothing. */
export type LetterFilter = { readonly [Key in (typeof FILTERS)[number]]?: string | undefined };

const FILTERS = ['device', 'code', 'kind', 'transport'] as const;
/** Letters of one read: each may have the bytes of the largest frame. */
const READ = 50;

export function matchesLetter(letter: DeadLetter, filter: LetterFilter): boolean {
  return FILTERS.every((name) => filter[name] === undefined || filter[name] === letter[name]);
}

/** All dead letters behind `before`, newest first, with few of them in memory; others may come and go meanwhile. */
export function* walkLetters(
  journal: Pick<Journal, 'deadLetters'>,
  before?: string,
): Generator<DeadLetter, void, undefined> {
  for (let last = before; ;) {
    const found = journal.deadLetters(READ, last);
    yield* found;
    last = found.at(-1)?.id;
    if (found.length < READ) return;
  }
}

/** Null for an id that no dead letter has, or could have. */
export function findDeadLetter(journal: Pick<Journal, 'deadLetter'>, id: string): DeadLetter | null {
  return /^[0-9a-z]{1,10}$/.test(id) ? (journal.deadLetter(id) ?? null) : null;
}
