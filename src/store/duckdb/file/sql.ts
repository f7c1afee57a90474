import type { DuckDBValue } from '@duckdb/node-api';
import type { StoredType } from '../../../core/index.ts';

/**
 * Names come from schemas, which devices' makers write: they enter SQL only as quoted identifiers, and values
 * only as parameters.
 */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** The name under which the file is attached: its own name could be that of a schema. */
export const CATALOG = 'millrace';
/** The schema of the store's own tables. */
export const OWN = `${CATALOG}.main`;
/** The name, within CATALOG, of the schema of the measurements: no name of theirs meets a table of the store's. */
export const POINTS = 'points';

export const SQL_TYPES: Record<StoredType, string> = {
  float: 'DOUBLE',
  integer: 'BIGINT',
  boolean: 'BOOLEAN',
  string: 'VARCHAR',
};

/** A statement and the values of its parameters, `$1` first. */
export interface Statement {
  text: string;
  values: DuckDBValue[];
}

/** Collects parameters while a statement is put together. */
export class Parameters {
  readonly values: DuckDBValue[] = [];

  /** The placeholder for a value. */
  add(value: string): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/** DuckDB keeps the ends of the 64-bit range for infinity, so times stop one short of them. */
const MAX_FINITE_NS = 9_223_372_036_854_775_806n;

/** Whether a time has a form in a TIMESTAMP_NS column. */
export function storableTime(timeNs: bigint): boolean {
  return timeNs >= -MAX_FINITE_NS && timeNs <= MAX_FINITE_NS;
}

/** A time as a literal: unlike a parameter it lets the scan skip row groups by their smallest and largest time. */
export function timeLiteral(timeNs: bigint): string {
  const clamped = timeNs > MAX_FINITE_NS ? MAX_FINITE_NS : timeNs < 0n ? 0n : timeNs;
  return `make_timestamp_ns(${clamped})`;
}
