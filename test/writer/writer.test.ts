import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { MillraceError, systemClock } from '../../src/core/index.ts';
import { openLocalJournal, type Journal, type Origin } from '../../src/journal/index.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../src/registry/index.ts';
import { openDuckDbStore, type RefusedPoint, type Store } from '../../src/store/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';
import { Writer } from '../../src/writer/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { until } from '../fixtures/until.ts';

/** A real store whose next writes can be made to fail, or to refuse points. */
class Hindered {
  readonly store: Store;
  readonly writes: number[] = [];
  before: () => void = () => {};
  refuse: (refused: RefusedPoint[]) => RefusedPoint[] = (refused) => refused;

  constructor(inner: Store) {
    this.store = {
      kind: inner.kind,
      position: () => inner.position(),
      setPosition: (position) => inner.setPosition(position),
      rows: (query, signal) => inner.rows(query, signal),
      aggregate: (query, signal) => inner.aggregate(query, signal),
      latest: (selection, signal) => inner.latest(selection, signal),
      devices: (after, limit, signal) => inner.devices(after, limit, signal),
      device: (id, signal) => inner.device(id, signal),
      state: () => inner.state(),
      probe: () => inner.probe(),
      close: () => inner.close(),
      write: async (batches, position) => {
        this.before();
        this.writes.push(batches.reduce((rows, batch) => rows + batch.rows, 0));
        const refused = await inner.write(batches, position);
        const first = batches[0];
        return this.refuse(first === undefined ? refused : [{ batch: first, row: 0, message: 'refused' }]);
      },
    };
    this.refuse = () => [];
  }
}

const origin: Origin = { device: 'a', transport: 'ws', onDurable: () => {}, onFailed: () => {} };
let folder: ReturnType<typeof temporaryFolder>;
let registry: Registry;
let journal: Journal;
let inner: Store;
let hindered: Hindered;
let seq: number;
let failures: number;

beforeEach(async () => {
  folder = temporaryFolder();
  seq = 0;
  failures = 0;
  mkdirSync(join(folder.path, 'store'));
  registry = await openRegistry({ dir: join(folder.path, 'registry') });
  await loadSchemaFolder(registry, 'schemas');
  journal = await openLocalJournal({ dir: join(folder.path, 'journal') });
  inner = await openDuckDbStore({ path: join(folder.path, 'store', 'points.duckdb') });
  hindered = new Hindered(inner);
});
afterEach(async () => {
  await inner.close();
  await journal.close();
  await registry.close();
  folder.remove();
});

async function append(frames: number, readings = 2): Promise<void> {
  for (let i = 0; i < frames; i++) {
    seq++;
    const times = Array.from({ length: readings }, (_, reading) => ({ time: seq * 1_000 + reading }));
    journal.append(origin, seq, environmentFrame(times), readings, Date.now());
  }
  await journal.flush();
}

async function startWriter(store: Store): Promise<Writer> {
  const writer = new Writer({
    journal,
    registry,
    store,
    clock: systemClock,
    logger: createLogger('silent'),
    random: () => 0,
    onWrite: () => {},
    onFailure: () => {
      failures++;
    },
  });
  await writer.start();
  return writer;
}

async function countRows(): Promise<number> {
  const measurement = registry.measurement('environment');
  if (measurement === undefined) throw new Error('the schema is missing');
  const selection = { measurement, fields: [], devices: [], tags: {}, fromNs: 0n, toNs: 10n ** 18n };
  const answer = await inner.rows(
    { ...selection, order: 'asc', limit: null, after: null },
    new AbortController().signal,
  );
  let rows = 0;
  for await (const chunk of answer.chunks) rows += chunk.length;
  return rows;
}

const settled = (): Promise<boolean> =>
  until('all settled', () => journal.settledPosition() === journal.head());

test('what is journaled before and after the start gets into the store and is settled', async () => {
  await append(3);
  const writer = await startWriter(hindered.store);
  await append(4);
  await settled();
  expect(await countRows()).toBe(14);
  expect(journal.ledger()).toMatchObject({ received: 14, stored: 14, pending: 0 });
  await writer.stop(0);
});

test('a store that fails is tried again until it takes the batch, and nothing counts twice', async () => {
  let left = 3;
  hindered.before = () => {
    if (left-- > 0) throw new MillraceError('store_unavailable', 'away');
  };
  const writer = await startWriter(hindered.store);
  await append(5);
  await settled();
  expect(failures).toBe(3);
  expect(journal.ledger()).toMatchObject({ received: 10, stored: 10 });
  expect(await countRows()).toBe(10);
  await writer.stop(0);
});

test('a crash between the store’s commit and the journal’s record counts the readings once', async () => {
  await append(5);
  const broken = Object.create(journal, {
    settle: { value: () => Promise.reject(new Error('killed')) },
  }) as Journal;
  const real = journal;
  journal = new Proxy(real, {
    get: (target, name) => {
      const value: unknown = name === 'settle' ? broken.settle : Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const first = await startWriter(hindered.store);
  await until('the store has it', () => hindered.writes.length > 0 && inner.position() !== null);
  await first.stop(0);
  journal = real;
  expect(journal.ledger()).toMatchObject({ stored: 0, pending: 10 });

  hindered.writes.length = 0;
  const second = await startWriter(hindered.store);
  expect(journal.ledger()).toMatchObject({ received: 10, stored: 10, pending: 0 });
  await append(1);
  await settled();
  expect(hindered.writes).toEqual([2]);
  expect(await countRows()).toBe(12);
  await second.stop(0);
});

test('a refused point becomes a dead letter with its frame, and the rest is stored', async () => {
  hindered.refuse = (refused) => refused;
  await append(4);
  const writer = await startWriter(hindered.store);
  await settled();
  expect(journal.ledger()).toMatchObject({ received: 8, stored: 7, deadLettered: 1, pending: 0 });
  const [letter] = journal.deadLetters(10);
  expect(letter).toMatchObject({
    kind: 'deadLettered',
    device: 'a',
    code: 'store_refused',
    message: 'refused',
  });
  expect(Buffer.from(letter?.bytes ?? [])).toEqual(environmentFrame([{ time: 1_000 }, { time: 1_001 }]));
  await writer.stop(0);
});

test('a stop does not wait for a store that is away: the rest stays in the journal', async () => {
  hindered.before = () => {
    throw new MillraceError('store_unavailable', 'away');
  };
  const writer = await startWriter(hindered.store);
  await append(2);
  await until('a failure', () => failures > 0);
  await writer.stop(0);
  expect(journal.ledger()).toMatchObject({ received: 4, stored: 0, pending: 4 });
});

test('a stop ends at its deadline, however much is left to write', async () => {
  const big = 30;
  hindered.before = () => {
    if (hindered.writes.length > 0) throw new Error('written after the deadline');
  };
  await append(big, 1_000);
  const writer = await startWriter(hindered.store);
  await until('the first batch', () => hindered.writes.length > 0);
  await writer.stop(0);
  expect(failures).toBe(0);
  const { received, stored, pending } = journal.ledger();
  expect(received).toBe(30_000);
  expect(stored).toBe(20_000);
  expect(pending).toBe(10_000);
});

test('a journal that cannot be read stops the writer, not the process, and says so', async () => {
  await append(1);
  const real = journal;
  journal = new Proxy(real, {
    get: (target, name) => {
      if (name === 'read') {
        return () => {
          throw new MillraceError('journal_corrupt', 'damaged');
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const writer = await startWriter(hindered.store);
  await until('the fault', () => writer.fault === 'damaged');
  await writer.stop(0);
  journal = real;
});
