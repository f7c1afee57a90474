import { expect, test } from '@jest/globals';
import avsc from 'avsc';
import * as fc from 'fast-check';
import { compileSchema } from '../../src/codec/index.ts';
import { ColumnBatch } from '../../src/core/index.ts';

const TEXT = JSON.stringify({
  type: 'record',
  name: 'Rooms',
  fields: [
    {
      name: 'readings',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'Reading',
          fields: [
            { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
            { name: 'room', type: 'string' },
            { name: 'note', type: { type: 'string' }, role: 'field' },
          ],
        },
      },
    },
  ],
});
const schema = compileSchema(TEXT);
const encoder = avsc.Type.forSchema(JSON.parse(TEXT) as avsc.Schema);

/** What the columns have of a frame whose readings have these texts, in the order of the rows. */
function decoded(texts: readonly (readonly [string, string])[]): (readonly [unknown, unknown])[] {
  const readings = texts.map(([room, note], i) => ({ time: 1_700_000_000_000 + i, room, note }));
  const bytes = encoder.toBuffer({ readings });
  const batch = new ColumnBatch(schema.mapping);
  schema.decode(bytes, 0, bytes.length, batch, 'a', 0, 0);
  return texts.map((_, row) => [batch.cell(0, row), batch.cell(1, row)] as const);
}

test('texts in any order are decoded as they were sent, whatever was decoded before', () => {
  const text = fc.oneof(
    fc.constantFrom('', 'a', 'b', 'é', 'x'.repeat(64), 'x'.repeat(65), `${'x'.repeat(63)}y`),
    fc.string({ unit: 'grapheme', maxLength: 70 }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 40 }), (texts) => {
      expect(decoded(texts)).toEqual(texts.map(([room, note]) => [room || null, note]));
    }),
  );
});

test('more texts than are remembered do not take one another’s place', () => {
  const texts = Array.from({ length: 40_000 }, (_, i) => [`room ${i % 33_333}`, `note ${i % 7}`] as const);
  expect(decoded(texts)).toEqual(texts);
});
