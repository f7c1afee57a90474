import type { RowKey } from './store.ts';

/** The value of one of a key's tags; null for one that it has not, which its measurement may have got since. */
export function tagOf(tags: RowKey['tags'], name: string): string | null {
  return tags.find(([each]) => each === name)?.[1] ?? null;
}
