/**
 * The embedded store: points in one DuckDB file, written together with the position that they reach, and read in
 * snapshots that begin where a write ended.
 */
export { openDuckDbStore, type DuckDbOptions } from './open.ts';
export { DUCKDB_TRAITS } from './store.ts';
