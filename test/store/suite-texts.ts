import { describe, expect, test } from '@jest/globals';
import { LIMITS, type Cell } from '../../src/core/index.ts';
import type { RowsAfter } from '../../src/store/index.ts';
import { FIELD_TEXTS, FILTER_TEXTS, TAG_TEXTS } from './odd-texts.ts';
import { BASE_NS, shape } from './points.ts';
import { cellsOf, expectRows, neverAborted, type Subject } from './subject.ts';

/** In the order of the bytes of UTF-8. */
function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

export function textTests(subject: Subject): void {
  describe('texts', () => {
    test('any text comes back whole from tags and strings and can be asked for', async () => {
      const odd = shape('texts_odd', { s: 'string' }, ['t']);
      await subject.write(
        odd,
        TAG_TEXTS.map((text, i) => ({
          timeNs: BASE_NS + BigInt(i),
          device: 'texts-odd',
          tags: { t: text },
          fields: { s: text },
        })),
      );
      const rows = await subject.rows(odd.measurement);
      expect(rows.map((row) => row[2])).toEqual(TAG_TEXTS);
      expect(rows.map((row) => row[3])).toEqual(TAG_TEXTS);
      for (const [i, text] of TAG_TEXTS.entries()) {
        expect(await subject.rows(odd.measurement, { tags: { t: [text] } })).toEqual([rows[i]]);
        const several = ['nobody', text, 'nothing\r', '\0'];
        expect(await subject.rows(odd.measurement, { tags: { t: several } })).toEqual([rows[i]]);
      }
      const query = { aggregates: [{ field: 's', fn: 'last' as const, name: 's' }], group: ['t'] };
      const grouped = await subject.aggregate(odd.measurement, query);
      expect(grouped.map((row) => row[1])).toEqual(TAG_TEXTS.toSorted(compareUtf8));
      expect(grouped.map((row) => row[2])).toEqual(grouped.map((row) => row[1]));
    });

    test('the longest tags that the guard takes are stored, with the longest names around them', async () => {
      const long = (name: string): string => name.padEnd(128, '_');
      const tags = [long('a'), long('b'), long('c')];
      const { measurement, ...rest } = shape(long('texts_longest'), { [long('x')]: 'integer' }, tags);
      const half = LIMITS.maxTagBytes / 2;
      const points = [
        ['a'.repeat(half), 'b'.repeat(half), null],
        ['é'.repeat(half / 2), '='.repeat(half / 4), ', '.repeat(half / 8)],
      ].map((values) => ({
        timeNs: BASE_NS,
        device: long('d'),
        tags: Object.fromEntries(tags.map((name, i) => [name, values[i] ?? null])),
        fields: { [long('x')]: 1n },
      }));
      expect(await subject.write({ measurement, ...rest }, points)).toEqual([]);
      expect((await subject.rows(measurement)).map((row) => row.slice(2, 5))).toEqual(
        points.map((point) => Object.values(point.tags)),
      );
    });

    test('any text may name a device, which is found by it in every read', async () => {
      const named = shape('texts_devices', { x: 'integer', s: 'string' }, ['t']);
      const points = TAG_TEXTS.map((device, i) => ({
        timeNs: BASE_NS,
        device,
        tags: { t: i % 2 === 0 ? device : null },
        fields: { x: BigInt(i), s: device },
      }));
      await subject.write(named, points);
      const sorted = TAG_TEXTS.toSorted(compareUtf8);
      const whole = { measurement: named.measurement, fields: [], devices: [], tags: {} };
      const newest = await cellsOf(await subject.store.latest(whole, neverAborted()));
      expect(newest.map((row) => row[1])).toEqual(sorted);
      expect(newest.map((row) => row[4])).toEqual(sorted);
      const rows = await subject.rows(named.measurement);
      expect(rows.map((row) => row[1])).toEqual(sorted);
      for (const [i, device] of TAG_TEXTS.entries()) {
        const [row] = await subject.rows(named.measurement, { devices: [device] });
        expect(row?.slice(1, 4)).toEqual([device, i % 2 === 0 ? device : null, BigInt(i)]);
        const one = await cellsOf(
          await subject.store.latest({ ...whole, devices: [device] }, neverAborted()),
        );
        expect(one).toEqual([row]);
        expect(await subject.device(device)).toMatchObject({
          device,
          measurements: expect.arrayContaining(['texts_devices']) as unknown,
        });
      }
      // Page after page, each behind the last row of the one before.
      const paged: Cell[] = [];
      let after: RowsAfter | null = null;
      for (let pages = 0; pages <= TAG_TEXTS.length; pages++) {
        const page: Cell[][] = await subject.rows(named.measurement, { after, limit: 1 });
        const [row] = page;
        if (row === undefined) break;
        paged.push(row[1] ?? null);
        after = {
          timeNs: BASE_NS,
          key: ['device', 't'].map((name, i) => [name, row[i + 1] as string | null] as const),
          skip: 0,
        };
      }
      expect(paged).toEqual(sorted);
      // Written again, every row meets itself.
      await subject.write(named, points);
      expectRows(await subject.rows(named.measurement), rows);
    });

    test.each(FILTER_TEXTS.map((text) => [JSON.stringify(text).slice(0, 60), text]))(
      'a filter by %s finds what is there and fails nothing',
      async (_, text) => {
        const asked = shape('texts_asked', { x: 'integer' }, ['t']);
        await subject.write(asked, [
          { timeNs: BASE_NS, device: 'texts-asked', tags: { t: 'there' }, fields: { x: 1n } },
          { timeNs: BASE_NS, device: 'texts-asked', fields: { x: 2n } },
        ]);
        expect(await subject.rows(asked.measurement, { tags: { t: [text] } })).toEqual([]);
        expect(await subject.rows(asked.measurement, { devices: [text] })).toEqual([]);
        expect(await subject.rows(asked.measurement, { tags: { t: [text, 'there'] } })).toHaveLength(1);
        const count = [{ field: 'x', fn: 'count' as const, name: 'x' }];
        expect(
          await subject.aggregate(asked.measurement, { aggregates: count, tags: { t: [text] } }),
        ).toEqual([]);
        const selection = { measurement: asked.measurement, fields: [], devices: [text], tags: {} };
        expect(await cellsOf(await subject.store.latest(selection, neverAborted()))).toEqual([]);
        if (!TAG_TEXTS.includes(text)) expect(await subject.device(text)).toBeNull();
      },
    );

    test('strings keep every text', async () => {
      const strings = shape('texts_strings', { s: 'string' });
      await subject.write(
        strings,
        FIELD_TEXTS.map((s, i) => ({ timeNs: BASE_NS + BigInt(i), device: 'texts-a', fields: { s } })),
      );
      const read = (await subject.rows(strings.measurement)).map((row) => row[2]);
      for (const [i, text] of FIELD_TEXTS.entries()) expect([i, read[i]]).toEqual([i, text]);
    });
  });
}
