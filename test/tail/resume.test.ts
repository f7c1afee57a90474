import { describe, expect, test } from '@jest/globals';
import { decodeCursor, encodeCursor, parseRfc3339Ns, type HistoryPlace } from '../../src/core/index.ts';
import type { TailLimits } from '../../src/tail/limits.ts';
import { until } from '../fixtures/until.ts';
import { BASE_MS, CLIMATE, frameWriter, openBench, withoutSnapshots, type Bench } from './harness.ts';
import { MemoryReader, openHub } from './memory-reader.ts';
import type { ServerMessage } from './tail-socket.ts';

/**
 * A consumer that stores every cursor it is given may be cut off behind any message. Coming back with what it stored, it
 * ends with each row delivered once, or missing inside a gap that it was told of.
 */
const at = (seconds: number): number => BASE_MS + seconds * 1_000;
const timeNs = (seconds: number): bigint => BigInt(at(seconds)) * 1_000_000n;
const RETAINS_NOTHING = { tailRetentionBytes: 1, snapshotBytes: 1 };

interface Row {
  value: number;
  seconds: number;
  position: number;
}

/** Appends numbered rows and remembers where they are. */
class Rows {
  readonly all: Row[] = [];
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  /** One frame of one row for each of the times, from one device after the other; committed. */
  async append(...seconds: number[]): Promise<void> {
    for (const each of seconds) {
      const value = this.all.length;
      this.#bench.appendClimate(`d${value % 3}`, `room ${value}`, [{ time: at(each), count: value }]);
      this.all.push({ value, seconds: each, position: value });
    }
    await this.#bench.commit();
  }

  /** Each in a block of its own, which the journal drops as soon as the store has it. */
  async appendAndDrop(...seconds: number[]): Promise<void> {
    for (const each of seconds) {
      await this.append(each);
      await this.#bench.settle();
    }
  }
}

interface Scene {
  bench: Bench;
  rows: Rows;
  /** Opens a reader on one hub for the whole scene. */
  read(body: Record<string, unknown>): MemoryReader;
}

interface Kind {
  name: string;
  journal?: Parameters<typeof openBench>[0];
  limits?: Partial<TailLimits>;
  /** Runs in each read of a store without snapshots; with snapshots when it is left out. */
  during?: (scene: Omit<Scene, 'read'>) => Promise<void>;
  /** Only the newest row of each series is promised. */
  latest?: boolean;
  /** Plays the session that will be cut; the reader is live in the end. `wanted`: rows that it should get, all by default. */
  play(scene: Scene): Promise<{ reader: MemoryReader; wanted?: (row: Row) => boolean }>;
}

const live = (reader: MemoryReader): Promise<unknown> =>
  until('the reader to be live', () => reader.of('live').length > 0 && reader.subscription.state === 'live');
const cursorAt = (bench: Bench, position: number, history: HistoryPlace | null = null): string =>
  encodeCursor({ epoch: bench.journal.epoch, position, history });
const range = (first: number, next: number): number[] =>
  Array.from({ length: next - first }, (_, i) => first + i);

const KINDS: Kind[] = [
  {
    name: 'behind retention',
    journal: RETAINS_NOTHING,
    play: async ({ bench, rows, read }) => {
      await rows.appendAndDrop(...range(0, 12));
      const reader = read({ cursor: cursorAt(bench, 2) });
      await live(reader);
      await rows.append(3, 30);
      return { reader, wanted: (row) => row.position >= 2 };
    },
  },
  {
    name: 'behind retention, inside history',
    journal: RETAINS_NOTHING,
    limits: { messageRows: 2 },
    play: async ({ bench, rows, read }) => {
      // Late rows, and one at exactly the time that history has come to, before its place there.
      await rows.appendAndDrop(0, 1, 2, 3, 4, 1, 9, 3, 2, 5, 3, 6, 7);
      const row = {
        by: 'key',
        key: [
          ['device', 'd1'],
          ['room', 'room 8'],
        ],
      } as const;
      const reader = read({ cursor: cursorAt(bench, 5, { timeNs: timeNs(3), row }) });
      await live(reader);
      await rows.append(1, 31);
      return { reader, wanted: (row) => row.position >= 5 || row.seconds > 3 };
    },
  },
  {
    name: 'of another epoch',
    limits: { messageRows: 2 },
    journal: RETAINS_NOTHING,
    play: async ({ rows, read }) => {
      await rows.appendAndDrop(...range(0, 8));
      await rows.append(4, 2);
      const history = { timeNs: timeNs(5), row: null };
      const reader = read({ cursor: encodeCursor({ epoch: 'another', position: 3, history }) });
      await live(reader);
      await rows.append(9);
      return { reader };
    },
  },
  {
    name: 'inside history',
    limits: { messageRows: 2 },
    play: async ({ bench, rows, read }) => {
      await rows.append(0, 1, 1, 1, 1, 1, 2, 3, 3, 3);
      await bench.settle();
      const reader = read({ from: at(0) });
      await live(reader);
      return { reader };
    },
  },
  {
    name: 'in the join of history and live',
    limits: { messageRows: 2 },
    during: ({ bench }) => bench.writeOnly(bench.journal.head()),
    play: async ({ bench, rows, read }) => {
      await rows.append(0, 1, 1, 1, 2, 3);
      await bench.settle(4);
      await rows.append(1, 1, 0, 4);
      const reader = read({ from: at(0) });
      await live(reader);
      return { reader };
    },
  },
  {
    name: 'live',
    limits: { messageRows: 2 },
    play: async ({ bench, rows, read }) => {
      await rows.append(0, 1);
      const reader = read({});
      await live(reader);
      await rows.append(2, 3, 4);
      await rows.append(1);
      await bench.settle();
      return { reader, wanted: (row) => row.position >= 2 };
    },
  },
  {
    name: 'expired while catching up',
    journal: RETAINS_NOTHING,
    play: async ({ rows, read }) => {
      const reader = read({});
      await live(reader);
      await rows.append(0);
      await until('the first row', () => reader.rows.length === 1);
      reader.lag();
      await rows.appendAndDrop(1, 2, 3, -5, 4, 5, 6, 7, 8, 9, 10, 11, 12);
      reader.read();
      await until('the gap', () => reader.of('gap').length > 0);
      await rows.append(13);
      await live(reader);
      return { reader };
    },
  },
  {
    name: 'with history skipped for a join that is too large',
    limits: { messageRows: 2, joinRows: 2 },
    during: ({ bench }) => bench.writeOnly(bench.journal.head()),
    play: async ({ bench, rows, read }) => {
      await rows.append(0, 1, 2);
      await bench.settle();
      await rows.append(3, 4, 5, 1);
      const reader = read({ from: at(0) });
      await live(reader);
      expect(reader.of('gap')).toHaveLength(1);
      return { reader };
    },
  },
  {
    name: 'with history whose join has expired',
    journal: RETAINS_NOTHING,
    limits: { messageRows: 2 },
    during: async ({ rows }) => {
      if (rows.all.length < 10) await rows.appendAndDrop(...range(20, 32));
    },
    play: async ({ rows, read }) => {
      await rows.appendAndDrop(0, 1, 2, 3);
      await rows.append(4);
      const reader = read({ from: at(0) });
      await live(reader);
      expect(reader.of('gap')).toHaveLength(2);
      return { reader };
    },
  },
  {
    name: 'with columns that a later schema brought',
    limits: { messageRows: 1 },
    play: async ({ bench, rows, read }) => {
      await rows.append(0, 1);
      await bench.settle();
      const reader = read({ from: at(0) });
      await live(reader);
      const schema = JSON.stringify({
        type: 'record',
        name: 'Climate',
        fields: [
          { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
          { name: 'room', type: 'string' },
          { name: 'count', type: 'long' },
          { name: 'pressure', type: 'double' },
        ],
      });
      expect(schema).not.toBe(CLIMATE);
      await bench.registry.register('climate-2', schema);
      const value = rows.all.length;
      const record = { time: at(2), room: 'attic', count: value, pressure: 1.5 };
      bench.append('d9', frameWriter(schema)(record), 1);
      rows.all.push({ value, seconds: 2, position: value });
      await rows.append(3);
      await until('the rows', () => reader.rows.length === 4);
      expect(reader.of('subscribed')).toHaveLength(2);
      return { reader };
    },
  },
  {
    name: 'with mode=latest',
    latest: true,
    limits: { messageRows: 2 },
    play: async ({ rows, read }) => {
      const reader = read({ mode: 'latest' });
      await live(reader);
      await rows.append(0);
      await until('the first row', () => reader.rows.length === 1);
      reader.lag();
      // Rooms differ from row to row, so that each is a series.
      await rows.append(1, 2, 3, 4, 5);
      reader.read();
      await until('all series', () => reader.rows.length >= 6);
      await live(reader);
      return { reader };
    },
  },
];

/** What a consumer has stored behind a message. */
function storedBehind(messages: readonly ServerMessage[]): string | undefined {
  return messages.map((message) => message.to ?? message.cursor).findLast((cursor) => cursor !== undefined);
}

function valuesOf(messages: readonly ServerMessage[]): number[] {
  return messages.flatMap((message) => (message.rows ?? []).map((row) => Number(row[4])));
}

/** Whether a gap says by its cursors, and by its query too, that a row will not come. */
function covers(gap: ServerMessage, row: Row, epoch: string): boolean {
  const from = decodeCursor(gap.from ?? '');
  const to = decodeCursor(gap.to ?? '');
  const rowNs = timeNs(row.seconds);
  const frames = from.epoch === epoch ? from.position <= row.position : true;
  const missed = frames && row.position < to.position && (to.history === null || rowNs <= to.history.timeNs);
  const history = from.history !== null && to.history === null && rowNs >= from.history.timeNs;
  const query = new URL(gap.query ?? '', 'http://localhost').searchParams;
  const fromNs = parseRfc3339Ns(query.get('from') ?? '');
  const toNs = parseRfc3339Ns(query.get('to') ?? '');
  const read = fromNs !== null && toNs !== null && fromNs <= rowNs && rowNs < toNs;
  return (missed || (history && row.position < to.position)) && read;
}

describe('a consumer that is cut off behind any message and comes back with the cursor that it stored', () => {
  const both = KINDS.flatMap((kind) => [
    { ...kind, known: true },
    { ...kind, name: `${kind.name}, of frames whose times nobody knows`, known: false },
  ]);
  test.each(both)('misses no row without a gap: a resume $name', async (kind) => {
    const bench = await openBench(kind.journal);
    const rows = new Rows(bench);
    const { during } = kind;
    const store =
      during === undefined ? bench.store : withoutSnapshots(bench.store, () => during({ bench, rows }));
    const { hub, defects } = openHub(
      { ...bench, store },
      { progressMs: 20, ...kind.limits },
      ...(kind.known ? [bench.times] : []),
    );
    const read = (body: Record<string, unknown>): MemoryReader => new MemoryReader(hub, body);
    const { reader, wanted = () => true } = await kind.play({ bench, rows, read });
    await until('the reader to have all', () => reader.subscription.position === bench.journal.head());
    await reader.subscription.close();
    const session = reader.messages;
    expect(session.length).toBeGreaterThan(2);
    const expected = rows.all.filter(wanted);

    const resumed = range(1, session.length + 1).map((count) => {
      const before = session.slice(0, count);
      const cursor = storedBehind(before) ?? '';
      return { before, cursor, reader: read({ cursor, ...(kind.latest ? { mode: 'latest' } : {}) }) };
    });
    for (const each of resumed) await live(each.reader);
    const last = rows.all.length;
    await rows.append(100);
    for (const { before, cursor, reader: again } of resumed) {
      await until('the last row', () => again.rows.some((row) => row[4] === last));
      expect(again.messages[0]).toMatchObject({ type: 'subscribed', cursor });
      const told = [...before, ...again.messages];
      const got = valuesOf(told);
      const gaps = told.filter(({ type }) => type === 'gap');
      const silent = expected.filter(
        (row) => !got.includes(row.value) && !gaps.some((gap) => covers(gap, row, bench.journal.epoch)),
      );
      expect({ behind: before.at(-1), silent }).toEqual({ behind: before.at(-1), silent: [] });
      if (!kind.latest) expect(got).toHaveLength(new Set(got).size);
    }
    expect(defects).toEqual([]);
  });
});
