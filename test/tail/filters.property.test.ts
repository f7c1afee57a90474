import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LIMITS, decodeCursor } from '../../src/core/index.ts';
import type { TailHub } from '../../src/tail/hub.ts';
import { until } from '../fixtures/until.ts';
import { BASE_MS, frameWriter, openBench, runCleanups, type Bench } from './harness.ts';
import { MemoryReader, openHub } from './memory-reader.ts';

/**
 * Readers of random filters that come, fall behind, go and come back, while frames of several schemas are appended and
 * further schemas are registered: each gets exactly the rows that a look at every row gives.
 */
const DEVICES = ['d0', 'd1', 'd2'];
const ROOMS = ['hall', 'attic', 'cellar'];
const FLOORS = ['0', '1'];
const FIELDS = ['a', 'b', 'c'];

/** One measurement in three versions: a tag of the frame, one of the reading, and fields that come by and by. */
const SCHEMAS = [['a'], ['a', 'b'], ['b', 'c']].map((fields) =>
  JSON.stringify({
    type: 'record',
    name: 'Air',
    fields: [
      { name: 'room', type: 'string' },
      {
        name: 'readings',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'AirReading',
            fields: [
              { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
              { name: 'floor', type: ['null', 'string'], default: null },
              ...fields.map((name) => ({ name, type: ['null', 'double'], default: null })),
            ],
          },
        },
      },
    ],
  }),
);
const FIELDS_OF = [['a'], ['a', 'b'], ['b', 'c']];

const subset = (values: readonly string[]) =>
  fc.option(fc.subarray([...values], { minLength: 1 }), { nil: [] });

const filter = fc.record({
  device: subset([...DEVICES, 'nobody']),
  room: subset([...ROOMS, 'nowhere']),
  floor: subset([...FLOORS, '9']),
  field: subset(FIELDS.slice(0, 2)),
});
type Filter = typeof filter extends fc.Arbitrary<infer F> ? F : never;

const reading = fc.record({
  floor: fc.option(fc.constantFrom(...FLOORS)),
  fields: fc.subarray(FIELDS),
});

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      device: fc.constantFrom(...DEVICES),
      room: fc.constantFrom(...ROOMS),
      schema: fc.nat(2),
      readings: fc.array(reading, { maxLength: 8 }),
      commit: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('open' as const), filter }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('lag' as const, 'read' as const, 'close' as const, 'resume' as const),
      reader: fc.nat(11),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('register' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('turns' as const), count: fc.nat(12) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

interface Row {
  position: number;
  device: string;
  room: string;
  floor: string | null;
  /** Of the fields that it has, by name: unique in all rows. */
  values: Record<string, number>;
}

const has = (wanted: readonly string[], value: string | null): boolean =>
  wanted.length === 0 || (value !== null && wanted.includes(value));

/** The reference: looks at the row itself. */
function matches({ device, room, floor, field }: Filter, row: Row): boolean {
  const fields = Object.keys(row.values);
  return (
    has(device, row.device) &&
    has(room, row.room) &&
    has(floor, row.floor) &&
    fields.some((name) => has(field, name))
  );
}

interface Reader {
  filter: Filter;
  joinedAt: number;
  /** Each connection of it, the last one open. */
  parts: MemoryReader[];
  closed: boolean;
}

function open(hub: TailHub, { device, room, floor, field }: Filter, cursor?: string): MemoryReader {
  const tag = { ...(room.length > 0 ? { room } : {}), ...(floor.length > 0 ? { floor } : {}) };
  return new MemoryReader(hub, {
    measurement: 'air',
    ...(device.length > 0 ? { device } : {}),
    ...(field.length > 0 ? { field } : {}),
    tag,
    ...(cursor === undefined ? {} : { cursor }),
  });
}

const cursorOf = (reader: MemoryReader): string => {
  const last = reader.messages.filter(({ cursor }) => typeof cursor === 'string').at(-1);
  return last?.cursor ?? '';
};

/** The values of a reader's rows, as `column value` in the order in which they came. */
function received({ parts }: Reader): string[] {
  return parts.flatMap((part) => {
    let columns: readonly string[] = [];
    return part.messages.flatMap((message) => {
      if (message.type === 'subscribed') columns = message.columns ?? [];
      if (message.type !== 'data') return [];
      return (message.rows ?? []).map((row) =>
        columns
          .map((name, index) => `${name} ${String(row[index])}`)
          .filter((_, index) => FIELDS.includes(columns[index] ?? '') && row[index] !== null)
          .join(),
      );
    });
  });
}

function expected(filter: Filter, rows: readonly Row[]): string[] {
  return rows
    .filter((row) => matches(filter, row))
    .map(({ values }) =>
      FIELDS.filter((name) => name in values && has(filter.field, name))
        .map((name) => `${name} ${values[name]}`)
        .join(),
    );
}

async function play(bench: Bench, hub: TailHub, steps: readonly Step[]): Promise<void> {
  const rows: Row[] = [];
  const readers: Reader[] = [];
  const { journal, registry } = bench;
  await registry.register('air', SCHEMAS[0] ?? '');
  await registry.register('air', SCHEMAS[1] ?? '');
  const writers = SCHEMAS.map(frameWriter);
  let registered = 2;
  let frames = 0;
  let count = 0;
  for (const one of steps) {
    switch (one.do) {
      case 'append': {
        const schema = Math.min(one.schema, registered - 1);
        const names = FIELDS_OF[schema] ?? [];
        const readings = one.readings.map(({ floor, fields }) => {
          const values = Object.fromEntries(
            fields.filter((name) => names.includes(name)).map((name) => [name, ++count]),
          );
          rows.push({ position: frames, device: one.device, room: one.room, floor, values });
          const all = Object.fromEntries(names.map((name) => [name, values[name] ?? null]));
          return { time: BASE_MS + ++count, floor, ...all };
        });
        bench.append(
          one.device,
          writers[schema]?.({ room: one.room, readings }) ?? Buffer.of(),
          readings.length,
        );
        frames += 1;
        if (one.commit) await bench.commit();
        break;
      }
      case 'open':
        if (readers.length < 12) {
          const parts = [open(hub, one.filter)];
          readers.push({ filter: one.filter, joinedAt: journal.head(), parts, closed: false });
        }
        break;
      case 'lag':
        readers[one.reader]?.parts.at(-1)?.lag();
        break;
      case 'read':
        readers[one.reader]?.parts.at(-1)?.read();
        break;
      case 'close':
      case 'resume': {
        const reader = readers[one.reader];
        const part = reader?.parts.at(-1);
        if (reader === undefined || part === undefined) break;
        void part.subscription.close();
        reader.closed = one.do === 'close';
        if (one.do === 'resume') reader.parts.push(open(hub, reader.filter, cursorOf(part)));
        break;
      }
      case 'register':
        if (registered < SCHEMAS.length) await registry.register('air', SCHEMAS[registered++] ?? '');
        break;
      case 'turns':
        for (let i = 0; i < one.count; i++) await nextTurn();
        break;
    }
  }
  await bench.commit();
  const opened = readers.filter(({ closed }) => !closed);
  for (const { parts } of opened) parts.at(-1)?.read();
  await until('every reader to be at the head', () =>
    opened.every(({ parts }) => parts.at(-1)?.subscription.position === journal.head()),
  );
  for (const reader of readers) {
    for (const part of reader.parts) {
      expect(part.of('gap')).toEqual([]);
      expect(part.of('error')).toEqual([]);
    }
    const wanted = rows.filter(({ position }) => position >= reader.joinedAt);
    const got = received(reader);
    if (reader.closed) {
      // What it was told up to its last cursor, and nothing else.
      const { position } = decodeCursor(cursorOf(reader.parts.at(-1) as MemoryReader));
      expect(got).toEqual(
        expected(
          reader.filter,
          wanted.filter((row) => row.position < position),
        ),
      );
    } else expect(got).toEqual(expected(reader.filter, wanted));
  }
}

describe('filters of a tail', () => {
  test('each reader gets the rows that a look at every row gives, whoever comes, goes and falls behind', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }),
        // Without any time for a slice, work gives way wherever it may.
        fc.constantFrom(0, LIMITS.sliceMs),
        async (steps, sliceMs) => {
          const bench = await openBench();
          const { hub, defects } = openHub(bench, { messageRows: 3, sliceMs });
          try {
            await play(bench, hub, steps);
            expect(defects).toEqual([]);
          } finally {
            await runCleanups();
          }
        },
      ),
      { numRuns: 60, endOnFailure: true },
    );
  }, 120_000);
});
