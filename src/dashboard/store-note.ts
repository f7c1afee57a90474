import type { Stats } from './payloads.ts';

/** Whether the store can be read and written, in words. */
export function storeNote({ store, writer }: Pick<Stats, 'store' | 'writer'>): {
  text: string;
  good: boolean;
} {
  if (store.up)
    return writer.running
      ? { text: 'up, readable', good: true }
      : { text: 'up, takes no writes', good: false };
  if (writer.circuit === 'half-open') return { text: 'away, being tried', good: false };
  return { text: writer.circuit === 'open' ? 'away, writes paused' : 'away', good: false };
}
