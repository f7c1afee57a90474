import { describe, expect, test } from '@jest/globals';
import type { Cell } from '../../src/core/index.ts';
import type { AggregateQuery, RowsAfter } from '../../src/store/index.ts';
import { BASE_NS, SECOND_NS, shape, type Point, type Shape } from './points.ts';
import { expectRows, type Subject } from './subject.ts';

const EVERY_NS = 10n * SECOND_NS;
const COUNT = [{ field: 'x', fn: 'count' as const, name: 'x' }];
/** A function that no store computes on its own server. */
const LAST = [{ field: 'x', fn: 'last' as const, name: 'x' }];

function paged(name: string): Shape {
  return shape(name, { x: 'float' }, ['room', 'side']);
}

function at(second: number, device: string, room: string | null): Point {
  return { timeNs: BASE_NS + BigInt(second) * SECOND_NS, device, tags: { room }, fields: { x: second } };
}

/** The place behind the last of the rows, by its group or by a count of the rows of its bucket. */
function behind(rows: readonly Cell[][], group: readonly string[], by: 'key' | 'count'): RowsAfter | null {
  const row = rows.at(-1);
  const timeNs = row?.[0];
  if (row === undefined || typeof timeNs !== 'bigint') return null;
  return {
    timeNs,
    key: by === 'key' ? group.map((name, i) => [name, row[i + 1] as string | null] as const) : null,
    skip: rows.filter((each) => each[0] === timeNs).length,
  };
}

/** Buckets that were given whole are left out by the range. */
function rangeBehind(after: RowsAfter | null, order: 'asc' | 'desc'): Partial<AggregateQuery> {
  if (after === null) return {};
  return order === 'asc' ? { fromNs: after.timeNs } : { toNs: after.timeNs + EVERY_NS };
}

export function aggregatePageTests(subject: Subject): void {
  describe('pages of aggregates', () => {
    const cases = (['asc', 'desc'] as const).flatMap((order) =>
      (['count', 'last'] as const).map((fn) => [order, fn] as const),
    );

    test.each(cases.flatMap(([order, fn]) => [[order, fn, 'key'] as const, [order, fn, 'count'] as const]))(
      'joined by `after` are the whole list (%s, %s, by %s)',
      async (order, fn, by) => {
        const of = paged(`pages_whole`);
        const rooms = [null, 'a', 'é', '\uffee', '\u{1f600}'];
        await subject.write(
          of,
          [0, 3, 12, 13, 25].flatMap((second) =>
            ['p', 'q'].flatMap((device) => rooms.map((room) => at(second, device, room))),
          ),
        );
        const aggregates = fn === 'count' ? COUNT : LAST;
        for (const group of [['device', 'room'], ['room', 'side'], ['device', 'room', 'side'], []]) {
          const query = { aggregates, group, order, everyNs: EVERY_NS };
          const whole = await subject.aggregate(of.measurement, query);
          for (const limit of [1, 3, 7]) {
            const given: Cell[][] = [];
            for (let page = 0; page <= whole.length; page++) {
              const after = behind(given, group, by);
              const range = rangeBehind(after, order);
              const rows = await subject.aggregate(of.measurement, { ...query, ...range, limit, after });
              if (rows.length === 0) break;
              given.push(...rows);
            }
            expectRows(given, whole);
          }
        }
      },
    );

    test.each(cases)(
      'give no group twice and leave none out when others appear between them (%s, %s)',
      async (order, fn) => {
        const of = paged(`pages_late_${order}_${fn}`);
        await subject.write(
          of,
          ['b', 'd'].flatMap((device) => [null, 'm'].map((room) => at(1, device, room))),
        );
        const group = ['device', 'room'];
        const query = { aggregates: fn === 'count' ? COUNT : LAST, group, order, everyNs: EVERY_NS };
        const given: Cell[][] = [];
        for (let page = 0; page < 20; page++) {
          const after = behind(given, group, 'key');
          const range = rangeBehind(after, order);
          const rows = await subject.aggregate(of.measurement, { ...query, ...range, limit: 1, after });
          if (rows.length === 0) break;
          given.push(...rows);
          // On both sides of the place where the page ended.
          if (page === 1)
            await subject.write(
              of,
              ['a', 'c', 'e'].map((device) => at(2, device, 'x')),
            );
        }
        const names = given.map(([, device, room]) => `${String(device)} ${String(room)}`);
        const whole = (await subject.aggregate(of.measurement, query)).map(
          ([, device, room]) => `${String(device)} ${String(room)}`,
        );
        const missed = order === 'asc' ? 'a x' : 'e x';
        expect(names).toEqual(whole.filter((each) => each !== missed));
      },
    );
  });
}
