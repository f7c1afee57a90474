import type { ColumnBatch, Mapping, MillraceError } from '../core/index.ts';
import type { FingerprintAlias } from './fingerprint.ts';

/** A record schema made ready for frames. Compiled once per schema, then shared. */
export interface CompiledSchema {
  /** CRC-64-AVRO of the Parsing Canonical Form: 16 lower-case hex digits of the number (big-endian). */
  readonly fingerprint: string;
  /** What libraries that do not follow the specification write instead of it. */
  readonly aliases: readonly FingerprintAlias[];
  readonly canonicalForm: string;
  readonly mapping: Mapping;
  /**
   * Text that decides how bytes become points: schemas of one fingerprint may differ in docs, units and
   * defaults, but then not in this.
   */
  readonly shape: string;
  /**
   * `schema_unmappable` where such a schema is no longer taken as a new one, though frames of those that were
   * registered before are read as ever; else null.
   */
  readonly objection: MillraceError | null;

  /**
   * Checks one record without building objects and returns its number of readings (points).
   * `bytes[start..end)` is the body alone, without the frame's header. Throws a MillraceError with a frame
   * code and the field's path. `device` is the connection's identity, `nowMs` the time of arrival.
   */
  check(bytes: Uint8Array, start: number, end: number, device: string, nowMs: number): number;

  /**
   * What the bytes of a record say of it, also of one that `check` refuses for its values: the number of readings,
   * and whether every point has its time from the record. Throws a frame code where the bytes are no record.
   */
  survey(bytes: Uint8Array, start: number, end: number): { readings: number; timed: boolean };

  /**
   * Appends the points of a record that `check` took to a batch made for this very `mapping`. An empty tag
   * is a missing one, and a point without any field is none: it has no form in InfluxDB. Either all points are appended or, when it throws, none. `position` is the frame's place in the journal,
   * `arrivalMs` its arrival: together they are the time of points that carry none, and no other frame of the device
   * has the same. Returns the bytes of the texts that the points hold and the
   * frame's bytes do not: its own strings on each point, and symbols of enums.
   */
  decode(
    bytes: Uint8Array,
    start: number,
    end: number,
    into: ColumnBatch,
    device: string,
    arrivalMs: number,
    position: number,
  ): number;
}
