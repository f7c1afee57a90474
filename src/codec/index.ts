/**
 * Avro in: framing, fingerprints, the mapping from record schema to time series, the guard that checks a
 * frame without building objects, and decoding into columns. Knows nothing of devices' connections or disks.
 */
export type { CompiledSchema } from './compiled.ts';
