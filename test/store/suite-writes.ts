import { describe, expect, test } from '@jest/globals';
import avsc from 'avsc';
import * as fc from 'fast-check';
import { compileSchema } from '../../src/codec/index.ts';
import { ColumnBatch } from '../../src/core/index.ts';
import { BASE_NS, SECOND_NS, shape, type Point } from './points.ts';
import { randomWrites, SAMPLE } from './random-points.ts';
import { Reference } from './reference.ts';
import { cellsOf, expectRows, neverAborted, type Subject } from './subject.ts';

function at(
  seconds: number,
  fields: Point['fields'],
  tags: Readonly<Record<string, string | null>> = {},
): Point {
  return { timeNs: BASE_NS + BigInt(seconds) * SECOND_NS, device: 'writes-a', tags, fields };
}

export function writeTests(subject: Subject): void {
  describe('writes', () => {
    test('late and out-of-order rows land in their place', async () => {
      const late = shape('writes_late', { x: 'float' });
      await subject.write(late, [at(10, { x: 10 }), at(30, { x: 30 })]);
      await subject.write(late, [at(20, { x: 20 }), at(5, { x: 5 }), at(40, { x: 40 })]);
      await subject.write(late, [at(35, { x: 35 })], [at(1, { x: 1 })]);
      const values = (await subject.rows(late.measurement)).map((row) => row[2]);
      expect(values).toEqual([1, 5, 10, 20, 30, 35, 40]);
    });

    test('the last write of a series and time wins field by field, missing fields keep what was stored', async () => {
      const both = shape('writes_both', { x: 'float', n: 'integer', ok: 'boolean', s: 'string' });
      await subject.write(both, [at(1, { x: 1, n: 1n, ok: true, s: 'one' })]);
      await subject.write(both, [at(1, { x: 2, ok: false })]);
      await subject.write(both, [at(1, { n: 3n })]);
      await subject.write(both, [at(1, { s: '' })]);
      expect(await subject.rows(both.measurement)).toEqual([
        [BASE_NS + SECOND_NS, 'writes-a', 2, 3n, false, ''],
      ]);
    });

    test('rows of one series and time within a write are folded in order', async () => {
      const folded = shape('writes_folded', { x: 'float', n: 'integer' }, ['room']);
      await subject.write(
        folded,
        [at(1, { x: 1 }), at(1, { n: 1n }), at(1, { x: 2 }), at(1, { x: 7 }, { room: 'hall' })],
        [at(1, { n: 2n })],
      );
      expect(await subject.rows(folded.measurement)).toEqual([
        [BASE_NS + SECOND_NS, 'writes-a', null, 2, 2n],
        [BASE_NS + SECOND_NS, 'writes-a', 'hall', 7, null],
      ]);
    });

    test('an empty tag is a missing tag', async () => {
      const empty = shape('writes_empty_tag', { x: 'float' }, ['room']);
      await subject.write(empty, [at(1, { x: 1 }, { room: '' })]);
      await subject.write(empty, [at(1, { x: 2 }, { room: null })]);
      expect(await subject.rows(empty.measurement)).toEqual([[BASE_NS + SECOND_NS, 'writes-a', null, 2]]);
      expect(await subject.rows(empty.measurement, { tags: { room: [''] } })).toEqual([]);
    });

    test('readings without any field are no rows, and do not move the newest time of a device', async () => {
      const text = JSON.stringify({
        type: 'record',
        name: 'WritesSparse',
        fields: [
          { name: 't', type: { type: 'long', logicalType: 'timestamp-millis' } },
          { name: 'x', type: ['null', 'double'] },
        ],
      });
      const compiled = compileSchema(text);
      const type = avsc.Type.forSchema(JSON.parse(text) as avsc.Schema);
      const batch = new ColumnBatch(compiled.mapping, 1);
      for (const [second, x] of [1.5, null, Number.NaN].entries()) {
        const bytes = type.toBuffer({ t: Number(BASE_NS / 1_000_000n) + second * 1_000, x });
        compiled.decode(bytes, 0, bytes.length, batch, second < 2 ? 'sparse-a' : 'sparse-b', 0, second);
      }
      const measurement = {
        name: compiled.mapping.measurement,
        doc: null,
        tags: [],
        fields: compiled.mapping.columns,
        subjects: [],
      };
      await subject.writeColumns(measurement, [batch]);
      const rows = [[BASE_NS, 'sparse-a', 1.5]];
      expectRows(await subject.rows(measurement), rows);
      const latest = { measurement, fields: [], devices: [], tags: {} };
      expectRows(await cellsOf(await subject.store.latest(latest, neverAborted())), rows);
      expect(await subject.device('sparse-a')).toMatchObject({ lastSeenNs: BASE_NS });
      expect(await subject.device('sparse-b')).toBeNull();
    });

    test('the same batch written again changes nothing, aggregates included', async () => {
      const again = shape('writes_again', { x: 'float', n: 'integer' }, ['room']);
      const points = Array.from({ length: 3_000 }, (_, i) =>
        at(i, { x: Math.sin(i), n: BigInt(i) }, { room: i % 3 === 0 ? 'hall' : null }),
      );
      const aggregates = (['count', 'sum', 'delta'] as const).flatMap((fn) =>
        ['x', 'n'].map((field) => ({ field, fn, name: `${field}_${fn}` })),
      );
      const query = { aggregates, everyNs: 600n * SECOND_NS, group: ['room'] };
      await subject.write(again, points);
      const rows = await subject.rows(again.measurement);
      const sums = await subject.aggregate(again.measurement, query);
      await subject.write(again, points);
      await subject.write(again, points.slice(0, 1_000), points.slice(500));
      expectRows(await subject.rows(again.measurement), rows);
      expectRows(await subject.aggregate(again.measurement, query), sums);
      expect(rows.length).toBe(3_000);
    });

    test('later schemas add tags and fields; earlier rows lack them', async () => {
      const first = shape('writes_grown', { x: 'float' }, ['room']);
      const second = shape('writes_grown', { y: 'integer', x: 'float' }, ['floor', 'room']);
      const merged = shape('writes_grown', { x: 'float', y: 'integer', z: 'string' }, ['room', 'floor']);
      await subject.write(first, [at(1, { x: 1 }, { room: 'hall' })]);
      expect(await subject.rows(merged.measurement)).toEqual([
        [BASE_NS + SECOND_NS, 'writes-a', 'hall', null, 1, null, null],
      ]);
      await subject.write(second, [at(2, { y: 2n }, { room: 'hall', floor: '1' })]);
      await subject.write(second, [at(1, { y: 3n }, { room: 'hall' })]);
      await subject.write(first, [at(2, { x: 4 }, { room: 'hall' })]);
      expect(await subject.rows(merged.measurement)).toEqual([
        [BASE_NS + SECOND_NS, 'writes-a', 'hall', null, 1, 3n, null],
        [BASE_NS + 2n * SECOND_NS, 'writes-a', 'hall', null, 4, null, null],
        [BASE_NS + 2n * SECOND_NS, 'writes-a', 'hall', '1', null, 2n, null],
      ]);
      expect(await subject.rows(merged.measurement, { fields: ['z'] })).toEqual([]);
    });

    test('batches of several measurements go in one write', async () => {
      const one = shape('writes_one', { x: 'float' });
      const two = shape('writes_two', { x: 'integer' });
      await Promise.all([
        subject.write(one, [at(1, { x: 1 })]),
        subject.write(two, [at(1, { x: 1n })]),
        subject.write(one, [at(2, { x: 2 })]),
      ]);
      expect((await subject.rows(one.measurement)).map((row) => row[2])).toEqual([1, 2]);
      expect((await subject.rows(two.measurement)).map((row) => row[2])).toEqual([1n]);
    });

    test('any order of writes reads back as the reference has it', async () => {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(randomWrites, async (writes) => {
          const random = shape(`writes_random_${run++}`, SAMPLE.fields, SAMPLE.tags);
          const reference = new Reference(random);
          for (const batches of writes) {
            await subject.write(random, ...batches);
            for (const points of batches) reference.write(points);
          }
          expectRows(await subject.rows(random.measurement), reference.rows());
          expectRows(await subject.rows(random.measurement, { order: 'desc' }), reference.rows().reverse());
        }),
        { seed: 20_240_611, numRuns: 25 },
      );
    });
  });
}
