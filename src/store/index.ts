/** Where points live for good, behind one interface: DuckDB (embedded) or InfluxDB 2.7. */
export * from './store.ts';
export { refusedFrames } from './shared/refused-frames.ts';
export { openDuckDbStore, type DuckDbOptions } from './duckdb/index.ts';
export { openInfluxStore, type InfluxConnection } from './influx/index.ts';
export { openStore, STORES } from './stores.ts';
