import type { Stats } from './payloads.ts';

/** Stores by their names in the settings, as people call them. A page may be older than its server. */
export const STORE_NAMES = { duckdb: 'DuckDB', influxdb: 'InfluxDB' };

export function storeName(kind: string): string {
  const names: Readonly<Record<string, string>> = STORE_NAMES;
  return names[kind] ?? kind;
}

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
