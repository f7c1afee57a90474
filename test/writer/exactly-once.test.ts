import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { StoreKind } from '../../src/config/index.ts';
import { MillraceError, systemClock } from '../../src/core/index.ts';
import { openLocalJournal, type Journal, type Origin } from '../../src/journal/index.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../src/registry/index.ts';
import { FUNCTIONS, type Store } from '../../src/store/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';
import { Holes, Writer } from '../../src/writer/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { until } from '../fixtures/until.ts';
import { BASE_NS, SECOND_NS } from '../store/points.ts';
import { Reference } from '../store/reference.ts';
import { describeStores } from '../store/stores-under-test.ts';
import { aggregateQuery, cellsOf, expectRows, neverAborted, rowsQuery } from '../store/subject.ts';
import { expectClose } from '../store/suite-aggregates.ts';
import { replaced } from './harness.ts';

/** How the process dies: what is met first ends it. */
const CRASHES = ['no write arrives', 'no answer to a write arrives', 'no settlement arrives'] as const;
type Crash = (typeof CRASHES)[number];

interface Frame {
  device: string;
  readings: { second: number; temperature: number | null }[];
}

interface Round {
  frames: Frame[];
  crash: Crash | null;
}

/** Few seconds and devices, so that readings come late, out of order, and again with another value. */
const frame: fc.Arbitrary<Frame> = fc.record({
  device: fc.constantFrom('a', 'b'),
  readings: fc.array(
    fc.record({
      second: fc.integer({ min: 0, max: 20 }),
      temperature: fc.option(fc.integer({ min: -50, max: 50 }), { freq: 5 }),
    }),
    { minLength: 1, maxLength: 6 },
  ),
});
const rounds: fc.Arbitrary<Round[]> = fc.array(
  fc.record({
    frames: fc.array(frame, { minLength: 1, maxLength: 8 }),
    crash: fc.option(fc.constantFrom(...CRASHES), { freq: 4 }),
  }),
  { minLength: 1, maxLength: 6 },
);

const lost = (_arrived: unknown): never => {
  throw new MillraceError('store_unavailable', 'the process has died');
};

let registry: Registry;
let folder: ReturnType<typeof temporaryFolder>;
beforeAll(async () => {
  folder = temporaryFolder();
  registry = await openRegistry({ dir: join(folder.path, 'registry') });
  await loadSchemaFolder(registry, 'schemas');
});
afterAll(async () => {
  await registry.close();
  folder.remove();
});

/** A journal and a store, and one writer after the other over them. */
class Gateway {
  readonly reference: Reference;
  readonly journal: Journal;
  #store: Store;
  readonly #open: () => Promise<Store>;
  readonly #seqs = new Map<string, number>();
  sent = 0;

  constructor(journal: Journal, store: Store, open: () => Promise<Store>) {
    this.journal = journal;
    this.#store = store;
    this.#open = open;
    const { compiled } = registry.resolve(environmentFrame([]), 0, environmentFrame([]).length).schema;
    this.reference = new Reference({ mapping: compiled.mapping, measurement: measurement() });
  }

  get store(): Store {
    return this.#store;
  }

  append({ device, readings }: Frame): void {
    const origin: Origin = { device, transport: 'ws', onDurable: () => {}, onFailed: () => {} };
    const seq = (this.#seqs.get(device) ?? 0) + 1;
    this.#seqs.set(device, seq);
    const timeMs = (second: number): number => Number(BASE_NS / 1_000_000n) + second * 1_000;
    const bytes = environmentFrame(
      readings.map(({ second, temperature }) => ({ time: timeMs(second), temperature })),
    );
    this.journal.append(origin, seq, bytes, readings.length, timeMs(0));
    this.sent += readings.length;
    this.reference.write(
      readings.map(({ second, temperature }) => ({
        timeNs: BASE_NS + BigInt(second) * SECOND_NS,
        device,
        fields: { temperature, ok: true },
      })),
    );
  }

  async run({ frames, crash }: Round): Promise<void> {
    const { journal } = this;
    let met = false;
    const meet = <T>(value: T): T => {
      met = true;
      return value;
    };
    const store = replaced(this.#store, {
      ...(crash === 'no write arrives' ? { write: async () => lost(meet(undefined)) } : {}),
      ...(crash === 'no answer to a write arrives'
        ? {
            write: async (...args: Parameters<Store['write']>) =>
              lost(meet(await this.#store.write(...args))),
          }
        : {}),
    });
    const deaf = replaced(journal, {
      ...(crash === 'no settlement arrives' ? { settle: () => Promise.reject(meet(new Error('dead'))) } : {}),
    });
    const writer = new Writer({
      journal: deaf,
      registry,
      store,
      clock: systemClock,
      ages: systemClock,
      logger: createLogger('silent'),
      random: () => 0,
      expiry: null,
      holes: Holes.open(join(folder.path, `${journal.epoch}.json`)),
      suspects: null,
      onAttempt: async () => {},
      onWrite: () => {},
      onFailure: () => {},
      onRetry: () => {},
      onExpired: () => {},
    });
    await writer.start().catch((error: unknown) => {
      // A settlement that is due at the start may be the one that does not arrive.
      if (!met) throw error;
    });
    for (const one of frames) this.append(one);
    await journal.flush();
    await until('the crash, or all settled', () =>
      crash === null ? journal.settledPosition() === journal.head() : met,
    );
    await writer.stop(0);
    if (crash === null) return;
    await this.#store.close();
    this.#store = await this.#open();
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.journal.close();
  }
}

function measurement() {
  const found = registry.measurement('environment');
  if (found === undefined) throw new Error('the schema is missing');
  return found;
}

async function check(gateway: Gateway): Promise<void> {
  const { store, reference, sent } = gateway;
  expect(gateway.journal.ledger()).toMatchObject({ received: sent, stored: sent, pending: 0 });
  const range = { fromNs: BASE_NS - SECOND_NS, toNs: BASE_NS + 100n * SECOND_NS };
  const rows = await cellsOf(await store.rows(rowsQuery(measurement(), range), neverAborted()));
  expectRows(rows, reference.rows(range));
  const aggregates = FUNCTIONS.map((fn) => ({ field: 'temperature', fn, name: fn }));
  for (const everyNs of [null, SECOND_NS, 7n * SECOND_NS]) {
    for (const group of [[], ['device']]) {
      const query = { ...range, everyNs, group };
      const answer = await store.aggregate(
        aggregateQuery(measurement(), { ...query, aggregates }),
        neverAborted(),
      );
      const expected = reference.aggregate('temperature', FUNCTIONS, query);
      expectClose(await cellsOf(answer), expected, FUNCTIONS, 1 + group.length, 1e-9);
    }
  }
}

/** `open` makes a store's place and returns the way to open the store there, again and again. */
function isExact(numRuns: number, place: () => Promise<() => Promise<Store>>): void {
  test('every aggregate is that of the last values, each once, whatever arrives late, again or after a crash', async () => {
    await fc.assert(
      fc.asyncProperty(rounds, async (sequence) => {
        const own = temporaryFolder();
        const open = await place();
        const journal = await openLocalJournal({ dir: join(own.path, 'journal') });
        const gateway = new Gateway(journal, await open(), open);
        try {
          for (const round of sequence) await gateway.run(round);
          await gateway.run({
            frames: [{ device: 'a', readings: [{ second: 3, temperature: 1 }] }],
            crash: null,
          });
          await check(gateway);
        } finally {
          await gateway.close();
          own.remove();
        }
      }),
      { numRuns },
    );
  }, 120_000);
}

/** Sequences that are tried on each store. */
const RUNS: Readonly<Record<StoreKind, number>> = { duckdb: 15, influxdb: 8 };

describeStores(
  (name) => `frames on their way into ${name}`,
  (kind, { start }) => {
    let stores: Awaited<ReturnType<typeof start>>;
    beforeAll(async () => {
      stores = await start();
    });
    afterAll(() => stores.stop());
    isExact(RUNS[kind], () => stores.place());
  },
);
