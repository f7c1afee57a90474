import { describe, expect, test } from '@jest/globals';
import type { Cell } from '../../src/core/index.ts';
import type { RowsAfter } from '../../src/store/index.ts';
import { BASE_NS, SECOND_NS, shape, type Point } from './points.ts';
import { Reference } from './reference.ts';
import { cellsOf, expectRows, namesOf, neverAborted, rowsQuery, type Subject } from './subject.ts';

const CLIMATE = { temperature: 'float', steps: 'integer', ok: 'boolean', note: 'string' } as const;

/** Two devices, three rooms (none among them), several rows at each time; some fields missing. */
function climatePoints(count: number): Point[] {
  return Array.from({ length: count }, (_, i) => ({
    timeNs: BASE_NS + BigInt(Math.floor(i / 6)) * SECOND_NS,
    device: i % 2 === 0 ? 'rows-a' : 'rows-b',
    tags: { room: [null, 'hall', 'attic'][Math.floor(i / 2) % 3] ?? null },
    fields: {
      temperature: i % 4 === 3 ? null : i / 8,
      steps: BigInt(i),
      ok: i % 3 === 0 ? null : i % 2 === 0,
      note: i % 5 === 0 ? `note ${i}` : null,
    },
  }));
}

export function rawRowTests(subject: Subject): void {
  describe('raw rows', () => {
    const climate = shape('rows_climate', CLIMATE, ['room']);
    const { measurement } = climate;
    const points = climatePoints(600);
    const reference = new Reference(climate);
    reference.write(points);
    let written: Promise<unknown> | null = null;
    const write = (): Promise<unknown> => (written ??= subject.write(climate, points));

    test('come back as they were written, by time, device and tags, missing tags first', async () => {
      await write();
      const answer = await subject.store.rows(rowsQuery(measurement), neverAborted());
      expect(namesOf(answer)).toEqual(['time', 'device', 'room', 'temperature', 'steps', 'ok', 'note']);
      expectRows(await cellsOf(answer), reference.rows());
      expect(answer.view().position).toBeGreaterThanOrEqual(1);
    });

    test('descending is the exact reverse', async () => {
      await write();
      expectRows(await subject.rows(measurement, { order: 'desc' }), reference.rows().reverse());
    });

    test('a limit cuts the answer short in both directions', async () => {
      await write();
      expectRows(await subject.rows(measurement, { limit: 7 }), reference.rows().slice(0, 7));
      expectRows(
        await subject.rows(measurement, { order: 'desc', limit: 7 }),
        reference.rows().reverse().slice(0, 7),
      );
    });

    /** The place behind a row, by its key or by a count of the rows of its time. */
    const behind = (rows: readonly Cell[][], by: 'key' | 'count' = 'key'): RowsAfter | null => {
      const row = rows.at(-1);
      const timeNs = row?.[0];
      if (row === undefined || typeof timeNs !== 'bigint') return null;
      const tags = measurement.tags.map(({ name }, n) => [name, row[n + 2] as string | null] as const);
      return {
        timeNs,
        key: by === 'key' ? [['device', String(row[1])] as const, ...tags] : null,
        skip: rows.filter((each) => each[0] === timeNs).length,
      };
    };

    test.each([
      ['asc', 'key'],
      ['desc', 'key'],
      ['asc', 'count'],
      ['desc', 'count'],
    ] as const)('pages joined by `after` are the whole list (%s, by %s)', async (order, by) => {
      await write();
      const whole = await subject.rows(measurement, { order });
      const paged: typeof whole = [];
      for (let page = 0; page < 200; page++) {
        const rows = await subject.rows(measurement, { order, limit: 23, after: behind(paged, by) });
        if (rows.length === 0) break;
        paged.push(...rows);
      }
      expectRows(paged, whole);
    });

    test.each(['asc', 'desc'] as const)(
      'rows that come late at the time where a page ended make no row come twice, and none is left out (%s)',
      async (order) => {
        const name = `rows_late_${order}`;
        const late = shape(name, CLIMATE, ['room']);
        const at = (device: string, room: string | null): Point => ({
          timeNs: BASE_NS,
          device,
          tags: { room },
          fields: { steps: 1n },
        });
        const rooms = [null, 'a', 'é', '\u{1F600}'];
        await subject.write(
          late,
          ['b', 'd'].flatMap((device) => rooms.map((room) => at(device, room))),
        );
        const query = { order, limit: 1 };
        const given: Cell[][] = [];
        for (let page = 0; page < 40; page++) {
          const rows = await subject.rows(late.measurement, { ...query, after: behind(given) });
          if (rows.length === 0) break;
          given.push(...rows);
          // On both sides of the place where the page ended.
          if (page === 3)
            await subject.write(
              late,
              ['a', 'c', 'e'].map((device) => at(device, 'x')),
            );
        }
        const names = given.map(([, device, room]) => `${String(device)} ${String(room)}`);
        expect(new Set(names).size).toBe(names.length);
        const whole = (await subject.rows(late.measurement, { order })).map(
          ([, device, room]) => `${String(device)} ${String(room)}`,
        );
        const missed = order === 'asc' ? 'a x' : 'e x';
        expect(names).toEqual(whole.filter((each) => each !== missed));
      },
    );

    test('a place before the range skips nothing in it', async () => {
      await write();
      const fromNs = BASE_NS + 10n * SECOND_NS;
      const after = { timeNs: BASE_NS, key: null, skip: 3 };
      expectRows(await subject.rows(measurement, { fromNs, after }), reference.rows({ fromNs }));
    });

    test('the range includes its start and excludes its end', async () => {
      await write();
      const range = { fromNs: BASE_NS + 5n * SECOND_NS, toNs: BASE_NS + 9n * SECOND_NS };
      expectRows(await subject.rows(measurement, range), reference.rows(range));
      expectRows(await subject.rows(measurement, { ...range, toNs: range.fromNs }), []);
    });

    test('devices, tags and fields narrow the answer', async () => {
      await write();
      for (const selection of [
        { devices: ['rows-b'] },
        { devices: ['rows-a', 'rows-b', 'nobody'] },
        { tags: { room: ['hall', 'cellar'] } },
        { devices: ['rows-a'], tags: { room: ['attic'] }, fields: ['steps'] },
        { fields: ['note', 'temperature'] },
        { devices: ['nobody'] },
        { tags: { room: ['cellar'] } },
      ]) {
        expectRows(await subject.rows(measurement, selection), reference.rows(selection));
      }
    });

    test('a row without any of the asked fields is left out', async () => {
      await write();
      const rows = await subject.rows(measurement, { fields: ['note'] });
      expect(rows.length).toBe(points.filter(({ fields }) => fields['note'] !== null).length);
    });

    test('an unknown field is refused', async () => {
      const unknown = subject.rows(measurement, { fields: ['nothing'] });
      await expect(unknown).rejects.toMatchObject({ code: 'field_unknown' });
    });

    test('a long answer comes in chunks and may be left early', async () => {
      const long = shape('rows_long', { n: 'integer' });
      const count = 9_000;
      await subject.write(
        long,
        Array.from({ length: count }, (_, i) => ({
          timeNs: BASE_NS + BigInt(i),
          device: 'rows-long',
          fields: { n: BigInt(i) },
        })),
      );
      for (let round = 0; round < 20; round++) {
        const answer = await subject.store.rows(rowsQuery(long.measurement), neverAborted());
        for await (const chunk of answer.chunks) {
          expect(chunk.rows).toBeLessThan(count);
          break;
        }
      }
      expect((await subject.rows(long.measurement)).length).toBe(count);
    });

    test('a measurement that was never written has no rows', async () => {
      expect(await subject.rows(shape('rows_never', { x: 'float' }, ['t']).measurement)).toEqual([]);
    });

    test('an aborted read ends with query_timeout', async () => {
      await write();
      const early = subject.store.rows(rowsQuery(measurement), AbortSignal.abort());
      await expect(early).rejects.toMatchObject({ code: 'query_timeout' });

      const long = shape('rows_aborted', { n: 'integer' });
      const points = Array.from({ length: 30_000 }, (_, i) => ({
        timeNs: BASE_NS + BigInt(i),
        device: 'rows-aborted',
        fields: { n: BigInt(i) },
      }));
      await subject.write(long, points);
      const controller = new AbortController();
      const answer = await subject.store.rows(rowsQuery(long.measurement), controller.signal);
      const reading = (async () => {
        let rows = 0;
        for await (const chunk of answer.chunks) {
          rows += chunk.rows;
          controller.abort();
        }
        return rows;
      })();
      await expect(reading).rejects.toMatchObject({ code: 'query_timeout' });
      expect((await subject.rows(long.measurement, { limit: 1 })).length).toBe(1);
    });
  });
}
