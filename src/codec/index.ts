/**
 * Avro in: framing, fingerprints, the mapping from record schema to time series, the guard that checks a
 * frame without building objects, and decoding into columns. Knows nothing of devices' connections or disks.
 *
 * It promises that `check` takes only bytes that `decode` reads completely and faithfully, and that
 * neither takes longer or more memory than the length of the bytes warrants.
 */
export type { CompiledSchema } from './compiled.ts';
export { compileSchema, type TimeBounds } from './compile.ts';
export { fingerprintOf, type FingerprintAlias } from './fingerprint.ts';
export {
  CONFLUENT_HEADER_BYTES,
  SINGLE_OBJECT_HEADER_BYTES,
  confluentIdAt,
  encodeConfluentHeader,
  encodeSingleObjectHeader,
  framingOf,
  wordLE,
} from './framing.ts';
