import { distance } from 'fastest-levenshtein';

/** Longer names are no slips of the pen, and comparing them costs. */
const MAX_CHARS = 100;
/** Names that are compared: some hundred nanoseconds each. */
const MAX_KNOWN = 1_000;

/** Two letters in each other's place are two slips. */
const slipsIn = ({ length }: string): number => (length < 4 ? 1 : Math.max(2, Math.floor(length / 3)));

/**
 * The known name that somebody who wrote `name` most likely meant; null where none is near and it
 * would be a guess.
 */
export function nearestName(name: string, known: readonly string[]): string | null {
  if (name.length > MAX_CHARS) return null;
  let nearest: { known: string; slips: number } | null = null;
  for (const each of known.slice(0, MAX_KNOWN)) {
    if (each.length > MAX_CHARS) continue;
    const slips = distance(name.toLowerCase(), each.toLowerCase());
    if (slips <= slipsIn(each) && slips < (nearest?.slips ?? Infinity)) {
      nearest = { known: each, slips };
    }
  }
  return nearest?.known ?? null;
}

/** `; did you mean "temperature"?` for the end of a message, or nothing. */
export function didYouMean(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === null ? '' : `; did you mean "${nearest}"?`;
}
