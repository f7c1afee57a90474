import { BOOLEAN_MISSING, type Column, type ColumnBatch } from '../../../core/index.ts';
import { MAX_NUMBER_BYTES } from './digits.ts';
import { escapeKey, escapeMeasurement } from './line-protocol.ts';

/** What is the same for all rows of a batch. */
export interface BatchPlan {
  batch: ColumnBatch;
  /** Escaped. */
  measurement: string;
  /** Sorted by name as the server keeps them; the device among them. */
  tags: readonly TagPlan[];
  fields: readonly FieldPlan[];
  /** Bytes that the fields of a line take at most (no other value is longer than a number), without the texts of strings. */
  fieldBytes: number;
  /** The texts of the string fields, whose length only the rows tell. */
  texts: readonly (readonly (string | null)[])[];
}

export interface TagPlan {
  /** Escaped. */
  key: string;
  values: readonly (string | null)[];
}

/** Kinds of values by how they are printed. */
export const FLOAT32 = 0;
export const DOUBLE = 1;
export const INTEGER = 2;
export const BOOLEAN = 3;
export const STRING = 4;

/** A column with its arrays at hand: one form for all kinds, which is what makes reading it fast. */
export interface FieldPlan {
  /** `,key=`, to be written in words; a line's first field has a space in place of the comma. */
  key: Words;
  name: string;
  kind: number;
  floats: Float64Array;
  /** Halves of integers, low word first. */
  halves: Int32Array;
  /** For integers 1 where there is a value; for booleans the value itself. */
  flags: Uint8Array;
  texts: readonly (string | null)[];
}

/** Bytes that are copied a word at a time, which is faster for short ones than to set them. */
export interface Words {
  /** Padded with zeros. */
  words: Int32Array;
  length: number;
}

/** Room behind a line that writing in words may spoil. */
export const WORD_BYTES = 4;

/** Names that InfluxDB keeps for itself: as tags they are refused, a field `time` it drops without a word. */
const RESERVED_TAGS = new Set(['time', '_field', '_measurement']);

/** The plan of a batch, or why none of its rows can be stored. */
export function planOf(batch: ColumnBatch): BatchPlan | string {
  const { mapping } = batch;
  const measurement = escapeMeasurement(mapping.measurement);
  if (measurement === null) return `InfluxDB has no form for the measurement name "${mapping.measurement}"`;
  const tags: (TagPlan & { name: string })[] = [{ key: 'device', name: 'device', values: batch.device }];
  const fields: FieldPlan[] = [];
  let fieldBytes = 0;
  for (const column of batch.columns) {
    const { name, role } = column.def;
    const key = escapeKey(name);
    const reserved = role === 'tag' ? RESERVED_TAGS.has(name) : name === 'time';
    if (key === null || reserved) return `InfluxDB takes no ${role} of the name "${name}"`;
    if (role === 'field') {
      const field = fieldPlan(wordsOf(`,${key}=`), column);
      fields.push(field);
      fieldBytes += field.key.length + MAX_NUMBER_BYTES;
    } else if (column.type === 'string') {
      tags.push({ key, name, values: column.values });
    }
  }
  tags.sort((a, b) => (a.name < b.name ? -1 : 1));
  const texts = fields.flatMap((field) => (field.kind === STRING ? [field.texts] : []));
  return { batch, measurement, tags, fields, fieldBytes, texts };
}

const NO_FLOATS = new Float64Array(0);
const NO_HALVES = new Int32Array(0);
const NO_FLAGS = new Uint8Array(0);

function fieldPlan(key: Words, column: Column): FieldPlan {
  const { name, float32 } = column.def;
  const plan = { key, name, kind: DOUBLE, floats: NO_FLOATS, halves: NO_HALVES, flags: NO_FLAGS, texts: [] };
  switch (column.type) {
    case 'float':
      return { ...plan, kind: float32 ? FLOAT32 : DOUBLE, floats: column.values };
    case 'integer':
      return { ...plan, kind: INTEGER, halves: column.words, flags: column.present };
    case 'boolean':
      return { ...plan, kind: BOOLEAN, flags: column.values };
    case 'string':
      return { ...plan, kind: STRING, texts: column.values };
  }
}

export function wordsOf(text: string): Words {
  const length = Buffer.byteLength(text);
  const padded = Buffer.alloc(Math.ceil(length / WORD_BYTES) * WORD_BYTES);
  padded.write(text);
  const words = new Int32Array(padded.length / WORD_BYTES);
  for (let i = 0; i < words.length; i++) words[i] = padded.readInt32LE(i * WORD_BYTES);
  return { words, length };
}

/** Whether a row has a value of the field. */
export function isPresent(field: FieldPlan, row: number): boolean {
  if (field.kind <= DOUBLE) return !Number.isNaN(field.floats[row] ?? Number.NaN);
  if (field.kind === INTEGER) return field.flags[row] === 1;
  if (field.kind === BOOLEAN) return (field.flags[row] ?? BOOLEAN_MISSING) !== BOOLEAN_MISSING;
  return (field.texts[row] ?? null) !== null;
}
