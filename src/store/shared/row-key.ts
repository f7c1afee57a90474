import type { RowKey } from '../store.ts';

/** What a key has of a name; null for a tag that it has not, which its measurement may have got since. */
export function namedIn(key: RowKey, name: string): string | null {
  return key.find(([each]) => each === name)?.[1] ?? null;
}
