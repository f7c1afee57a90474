/** One stored type for int and long, one for float and double. Tags are always strings. */
export type StoredType = 'integer' | 'float' | 'boolean' | 'string';

/** A column of a measurement, apart from `time` and `device`, which every measurement has. */
export interface ColumnDef {
  name: string;
  role: 'tag' | 'field';
  type: StoredType;
  /** True when the schema says Avro float: values read back as the shortest decimal of that float32. */
  float32: boolean;
  unit: string | null;
  doc: string | null;
}

/**
 * How one record schema becomes points. Columns come tags first, then fields; each the frame's first,
 * then the reading's, in schema order.
 */
export interface Mapping {
  measurement: string;
  doc: string | null;
  columns: readonly ColumnDef[];
}

/**
 * What all registered schemas together say of a measurement. Columns as in Mapping; those of later schemas
 * follow. `float32` holds only while every schema calls the field float.
 */
export interface Measurement {
  name: string;
  doc: string | null;
  tags: readonly ColumnDef[];
  fields: readonly ColumnDef[];
  subjects: readonly string[];
}
