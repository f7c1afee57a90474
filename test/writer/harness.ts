import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from '@jest/globals';
import type { Transport } from '../../src/core/index.ts';
import { rowsOfBatch, systemClock, type Cell } from '../../src/core/index.ts';
import { openLocalJournal, type Journal, type Origin } from '../../src/journal/index.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../src/registry/index.ts';
import { openDuckDbStore, type RefusedPoint, type Store } from '../../src/store/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';
import { Holes, Writer, type WriterOptions } from '../../src/writer/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { until } from '../fixtures/until.ts';

/** The store with some methods replaced; `this` of the others stays the store's. */
export function replaced<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get: (inner, name) => {
      const value: unknown = Object.hasOwn(methods, name)
        ? Reflect.get(methods, name)
        : Reflect.get(inner, name, inner);
      return typeof value === 'function' ? value.bind(inner) : value;
    },
  });
}

/** A real store whose next writes and probes can be made to fail, to wait, or to refuse points. */
export class Hindered {
  readonly store: Store;
  /** Rows of each write that reached the store. */
  readonly writes: number[] = [];
  probes = 0;
  before: () => void | Promise<void> = () => {};
  beforeProbe: () => void = () => {};
  refuse = false;

  constructor(inner: Store) {
    this.store = replaced(inner, {
      probe: async () => {
        this.probes++;
        this.beforeProbe();
        await inner.probe();
      },
      write: async (batches, position) => {
        await this.before();
        this.writes.push(batches.reduce((rows, batch) => rows + batch.rows, 0));
        const refused: RefusedPoint[] = await inner.write(batches, position);
        const first = batches[0];
        if (!this.refuse || first === undefined) return refused;
        return [...refused, { batch: first, row: 0, message: 'refused' }];
      },
    });
  }
}

/** A journal, a registry, a DuckDB store and writers over them: new for each test. */
export class Bench {
  #folder: ReturnType<typeof temporaryFolder> | null = null;
  #parts: Parts | null = null;
  #writers: Writer[] = [];
  #seqs = new Map<string, number>();
  failures: string[] = [];
  expired = 0;

  constructor(journalOptions: Partial<Parameters<typeof openLocalJournal>[0]> = {}) {
    beforeEach(async () => {
      const folder = temporaryFolder();
      this.#folder = folder;
      this.#writers = [];
      this.#seqs = new Map();
      this.failures = [];
      this.expired = 0;
      mkdirSync(join(folder.path, 'store'));
      const registry = await openRegistry({ dir: join(folder.path, 'registry') });
      await loadSchemaFolder(registry, 'schemas');
      const journal = await openLocalJournal({ dir: join(folder.path, 'journal'), ...journalOptions });
      const inner = await openDuckDbStore({ path: join(folder.path, 'store', 'points.duckdb') });
      this.#parts = { registry, journal, inner, hindered: new Hindered(inner) };
    });
    afterEach(async () => {
      for (const writer of this.#writers) await writer.stop(0);
      await this.inner.close();
      await this.journal.close();
      await this.registry.close();
      this.#folder?.remove();
    });
  }

  get registry(): Registry {
    return this.#opened().registry;
  }

  get journal(): Journal {
    return this.#opened().journal;
  }

  /** Of something in the folder. */
  path(name: string): string {
    return join(this.#folder?.path ?? '', name);
  }

  /** The store itself. */
  get inner(): Store {
    return this.#opened().inner;
  }

  get hindered(): Hindered {
    return this.#opened().hindered;
  }

  /** Closes the store, lets `work` at its file, and opens it again. */
  async reopenStoreAfter(work: (file: string) => Promise<void>): Promise<void> {
    const parts = this.#opened();
    const file = join(this.#folder?.path ?? '', 'store', 'points.duckdb');
    await parts.inner.close();
    await work(file);
    parts.inner = await openDuckDbStore({ path: file });
    parts.hindered = new Hindered(parts.inner);
  }

  /** Appends frames of `readings` points at consecutive seconds, from 1,000 ms on for each device. */
  async append(
    frames: number,
    readings = 2,
    { device = 'a', transport = 'ws', arrivalMs = Date.now() }: Appended = {},
  ): Promise<void> {
    const origin: Origin = { device, transport, onDurable: () => {}, onFailed: () => {} };
    for (let i = 0; i < frames; i++) {
      const seq = (this.#seqs.get(device) ?? 0) + 1;
      this.#seqs.set(device, seq);
      const times = Array.from({ length: readings }, (_, reading) => ({ time: seq * 1_000 + reading }));
      this.journal.append(origin, seq, environmentFrame(times), readings, arrivalMs);
    }
    await this.journal.flush();
  }

  async startWriter(options: Partial<WriterOptions> = {}): Promise<Writer> {
    const writer = new Writer({
      journal: this.journal,
      registry: this.registry,
      store: this.hindered.store,
      clock: systemClock,
      ages: systemClock,
      logger: createLogger('silent'),
      random: () => 0,
      expiry: null,
      holes: Holes.open(this.path('holes.json')),
      suspects: null,
      onAttempt: async () => {},
      onWrite: () => {},
      onFailure: (kind) => this.failures.push(kind),
      onRetry: () => {},
      onExpired: (readings) => {
        this.expired += readings.ws + readings.http + readings.mqtt;
      },
      ...options,
    });
    await writer.start();
    this.#writers.push(writer);
    return writer;
  }

  /** What the store holds of the environment: time, device, site tags and fields. */
  async rows(store: Store = this.inner): Promise<Cell[][]> {
    const measurement = this.registry.measurement('environment');
    if (measurement === undefined) throw new Error('the schema is missing');
    const selection = { measurement, fields: [], devices: [], tags: {}, fromNs: 0n, toNs: 10n ** 18n };
    const answer = await store.rows(
      { ...selection, order: 'asc', limit: null, after: null },
      new AbortController().signal,
    );
    const rows: Cell[][] = [];
    for await (const batch of answer.chunks) rows.push(...rowsOfBatch(batch));
    return rows;
  }

  settled(): Promise<boolean> {
    return until('all settled', () => this.journal.settledPosition() === this.journal.head());
  }

  #opened(): Parts {
    if (this.#parts === null) throw new Error('used outside of a test');
    return this.#parts;
  }
}

interface Parts {
  registry: Registry;
  journal: Journal;
  inner: Store;
  hindered: Hindered;
}

interface Appended {
  device?: string;
  transport?: Transport;
  arrivalMs?: number;
}
