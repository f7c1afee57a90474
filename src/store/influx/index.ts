/**
 * The store on InfluxDB 2.7: line protocol in, InfluxQL out. Writes are idempotent and isolate points that
 * the server refuses; whatever says nothing about the points is `store_unavailable`, never a loss.
 */
export { INFLUX_TRAITS, openInfluxStore } from './store.ts';
export type { InfluxConnection } from './transport/transport.ts';
export { InfluxUnavailable } from './transport/unavailable.ts';
