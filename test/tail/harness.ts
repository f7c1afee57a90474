import { afterEach } from '@jest/globals';
import avsc from 'avsc';
import { encodeSingleObjectHeader, fingerprintOf } from '../../src/codec/index.ts';
import { ColumnBatch, NO_READINGS } from '../../src/core/index.ts';
import {
  SettledTimes,
  openLocalJournal,
  type LocalJournalOptions,
  type Origin,
} from '../../src/journal/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import { openDuckDbStore, STORES, type Answer, type RowsQuery, type Store } from '../../src/store/index.ts';
import { rowTimes } from '../../src/writer/row-times.ts';
import { temporaryFolder } from '../fixtures/folder.ts';

/** 2026-01-01: times in these tests count from here. */
export const BASE_MS = 1_767_225_600_000;

const cleanups: (() => unknown)[] = [];

/** Runs after the test, the last one first. */
export function afterwards(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

/** What afterEach does, for tests that open more than one bench. */
export async function runCleanups(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

afterEach(runCleanups);

export const CLIMATE = JSON.stringify({
  type: 'record',
  name: 'Climate',
  fields: [
    { name: 'room', type: 'string' },
    {
      name: 'readings',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'ClimateReading',
          fields: [
            { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
            { name: 'temperature', type: ['null', 'float'], default: null },
            { name: 'count', type: ['null', 'long'], default: null },
          ],
        },
      },
    },
  ],
});

export interface Reading {
  time: number;
  temperature?: number | null;
  count?: number | null;
}

/** Frames of one schema, encoded by avsc. */
export function frameWriter(schema: string): (record: unknown) => Buffer {
  const type = avsc.Type.forSchema(JSON.parse(schema) as avsc.Schema);
  const header = encodeSingleObjectHeader(fingerprintOf(schema));
  return (record) => Buffer.concat([header, type.toBuffer(record)]);
}

const climateFrame = frameWriter(CLIMATE);

/** A real journal, registry and store (DuckDB by default) in a folder of their own, without what moves rows between them. */
export async function openBench(
  options: Omit<LocalJournalOptions, 'dir'> = {},
  openStore = (dir: string): Promise<Store> => openDuckDbStore({ path: `${dir}/store.duckdb` }),
) {
  const folder = temporaryFolder();
  afterwards(() => folder.remove());
  const registry = await openRegistry({ dir: `${folder.path}/registry` });
  afterwards(() => registry.close());
  await registry.register('climate', CLIMATE);
  const journal = await openLocalJournal({ dir: `${folder.path}/journal`, ...options });
  afterwards(() => journal.close());
  const store = await openStore(folder.path);
  afterwards(() => store.close());

  const origin = (device: string): Origin => ({
    device,
    transport: 'ws',
    onDurable: () => undefined,
    onFailed: () => undefined,
  });
  const seqs = new Map<string, number>();
  const times = new SettledTimes();

  /** Takes one frame; it is in the journal after `commit`. */
  const append = (device: string, frame: Uint8Array, readings: number): void => {
    const seq = (seqs.get(device) ?? journal.deviceSeq(device)) + 1;
    seqs.set(device, seq);
    journal.append(origin(device), seq, frame, readings, Date.now());
  };

  return {
    registry,
    journal,
    store,
    /** What the server knows of settled frames, for tests that give it to a tail. */
    times,
    append,
    appendClimate: (device: string, room: string, readings: readonly Reading[]): void => {
      const full = readings.map(({ time, temperature = null, count = null }) => ({
        time,
        temperature,
        count,
      }));
      append(device, climateFrame({ room, readings: full }), readings.length);
    },
    commit: () => journal.flush(),
    /** Does the writer's work, for the frames before `until`. */
    settle: async (until = journal.head()): Promise<void> => {
      const from = journal.settledPosition();
      const { batches, readings } = decodeFrames(from, until);
      const position = { epoch: journal.epoch, position: until, refused: [] };
      await store.write(batches, position);
      await journal.settle({
        from,
        position: until,
        stored: { ...NO_READINGS, ws: readings },
        expired: NO_READINGS,
        deadLetters: [],
      });
      times.record({ from, position: until, times: rowTimes(batches) });
    },
    /** Writes to the store and does not settle, as a writer does that is between the two. */
    writeOnly: async (until: number): Promise<void> => {
      const { batches } = decodeFrames(journal.settledPosition(), until);
      await store.write(batches, {
        epoch: journal.epoch,
        position: journal.settledPosition(),
        refused: [],
      });
    },
  };

  function decodeFrames(from: number, until: number): { batches: ColumnBatch[]; readings: number } {
    const batches = new Map<number, ColumnBatch>();
    let readings = 0;
    let position = from;
    while (position < until) {
      const block = journal.read(position);
      if (block === undefined) break;
      for (const frame of block.frames(position)) {
        if (frame.position >= until) break;
        const { schema, bodyStart } = registry.resolve(frame.bytes, 0, frame.bytes.length);
        const batch = batches.get(schema.id) ?? new ColumnBatch(schema.compiled.mapping);
        batches.set(schema.id, batch);
        const { bytes, device, arrivalMs } = frame;
        schema.compiled.decode(bytes, bodyStart, bytes.length, batch, device, arrivalMs, frame.position);
        readings += frame.readings;
      }
      position = block.next;
    }
    return { batches: [...batches.values()], readings };
  }
}

export type Bench = Awaited<ReturnType<typeof openBench>>;

/**
 * The same store without snapshots, as InfluxDB is: it knows no position, and rows may be written between the
 * moment that a read is asked for and its answer. `during` runs there.
 */
export function withoutSnapshots(store: Store, during: () => Promise<void>): Store {
  return {
    kind: 'influxdb',
    traits: STORES.influxdb.traits,
    write: (batches, position) => store.write(batches, position),
    position: () => null,
    setPosition: () => undefined,
    rows: async (query: RowsQuery, signal: AbortSignal): Promise<Answer> => {
      await during();
      const answer = await store.rows(query, signal);
      return { ...answer, view: () => ({ position: 0, epoch: null, exact: false }) };
    },
    aggregate: (query, signal) => store.aggregate(query, signal),
    latest: (selection, signal) => store.latest(selection, signal),
    devices: (query, signal) => store.devices(query, signal),
    device: (query, signal) => store.device(query, signal),
    probe: () => store.probe(),
    state: () => store.state(),
    close: () => store.close(),
  };
}
