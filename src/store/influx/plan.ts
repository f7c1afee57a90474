import type { Column, ColumnBatch } from '../../core/index.ts';
import { escapeKey, escapeMeasurement } from './line-protocol.ts';

/** What is the same for all rows of a batch. */
export interface Plan {
  batch: ColumnBatch;
  /** Escaped. */
  measurement: string;
  /** Sorted by name as the server keeps them; the device among them. */
  tags: readonly TagPlan[];
  fields: readonly FieldPlan[];
  /** Bytes that the fields of a line take at most, apart from the texts of strings. */
  fieldBytes: number;
  /** Of the string fields, whose length only their rows tell. */
  texts: readonly (string | null)[][];
}

export interface TagPlan {
  /** Escaped. */
  key: string;
  values: readonly (string | null)[];
}

export interface FieldPlan {
  /** `,key=`, to be written in words; a line's first field has a space in place of the comma. */
  key: Words;
  column: Column;
}

/** Bytes that are copied a word at a time, which is faster for short ones than to set them. */
export interface Words {
  /** Padded with zeros. */
  words: Int32Array;
  length: number;
}

/** Room behind a line that writing in words may spoil. */
export const WORD_BYTES = 4;

/** A number, `true`, or the quotes of a string. */
const MAX_VALUE_BYTES = 28;

/** Names that InfluxDB keeps for itself: as tags they are refused, a field `time` it drops without a word. */
const RESERVED_TAGS = new Set(['time', '_field', '_measurement']);

/** The plan of a batch, or why none of its rows can be stored. */
export function planOf(batch: ColumnBatch): Plan | string {
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
      const words = wordsOf(`,${key}=`);
      fields.push({ key: words, column });
      fieldBytes += words.length + MAX_VALUE_BYTES;
    } else if (column.type === 'string') {
      tags.push({ key, name, values: column.values });
    }
  }
  tags.sort((a, b) => (a.name < b.name ? -1 : 1));
  const texts = fields.flatMap(({ column }) => (column.type === 'string' ? [column.values] : []));
  return { batch, measurement, tags, fields, fieldBytes, texts };
}

export function wordsOf(text: string): Words {
  const length = Buffer.byteLength(text);
  const padded = Buffer.alloc(Math.ceil(length / WORD_BYTES) * WORD_BYTES);
  padded.write(text);
  const words = new Int32Array(padded.length / WORD_BYTES);
  for (let i = 0; i < words.length; i++) words[i] = padded.readInt32LE(i * WORD_BYTES);
  return { words, length };
}
