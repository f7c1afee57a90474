import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  MillraceError,
  systemClock,
  batchOfRows,
  rowsOfBatch,
  type AnswerBatch,
} from '../../src/core/index.ts';
import { openInfluxStore, type Store } from '../../src/store/index.ts';
import { createLogger, type Logger } from '../../src/telemetry/index.ts';
import { Audit, type AuditOptions, type Writer } from '../../src/writer/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { describeWithInflux, startInflux, type InfluxServer } from '../fixtures/influxd.ts';
import { until } from '../fixtures/until.ts';
import { Bench, replaced } from './harness.ts';

describe('the audit of what the store holds', () => {
  const bench = new Bench();
  const told: object[] = [];

  function auditOf(writer: Writer | null, options: Partial<AuditOptions> = {}): Audit {
    told.length = 0;
    const error = ((fields: object) => told.push(fields)) as unknown as Logger['error'];
    return new Audit({
      journal: bench.journal,
      registry: bench.registry,
      store: bench.inner,
      clock: systemClock,
      logger: replaced(createLogger('silent'), { error }),
      random: Math.random,
      storedTo: () => writer?.position ?? Infinity,
      secondLookMs: 1,
      ...options,
    });
  }

  /** Some runs, so that every frame of a small journal is looked at. */
  async function runOften(audit: Audit): Promise<void> {
    for (let run = 0; run < 10; run++) await audit.run();
  }

  test('finds what was stored: overwritten, late, out of order, written twice and without any field', async () => {
    const first = await bench.startWriter();
    const origin = { device: 'o', transport: 'ws' as const, onDurable: () => {}, onFailed: () => {} };
    const frames = [
      [{ time: 10_000 }, { time: 12_000 }],
      [
        { time: 11_000, temperature: 1 },
        { time: 10_000, temperature: 2 },
      ],
      [{ time: 12_000, temperature: null }],
      [{ time: 1_000 }, { time: 1_000, temperature: 3 }],
    ];
    for (const [i, readings] of frames.entries()) {
      bench.journal.append(origin, i + 1, environmentFrame(readings), readings.length, Date.now());
      await bench.journal.flush();
    }
    await bench.append(20, 10);
    await bench.settled();
    await first.stop(0);
    // put back to an earlier position: all of it is written again
    const epoch = bench.journal.epoch;
    const store = replaced(bench.hindered.store, { position: () => ({ epoch, position: 2, refused: [] }) });
    const second = await bench.startWriter({ store });
    await until('all is written again', () => second.position === bench.journal.head());
    const audit = auditOf(second);
    await runOften(audit);
    expect(told).toEqual([]);
    expect(audit.status()).toMatchObject({ state: 'ok', missing: 0 });
    expect(audit.status().checked).toBeGreaterThan(100);
    expect(audit.status().lastRunMs).not.toBeNull();
  });

  test('raises an alarm that names a point which was deleted behind the store’s back', async () => {
    const writer = await bench.startWriter();
    await bench.append(20, 3);
    await bench.settled();
    await writer.stop(0);
    await bench.reopenStoreAfter(async (file) => {
      const instance = await DuckDBInstance.create(file);
      const connection = await instance.connect();
      await connection.run(`DELETE FROM points.points.environment WHERE epoch_ms("time"::TIMESTAMP) = 5001`);
      await connection.run('CHECKPOINT');
      connection.closeSync();
      instance.closeSync();
    });
    const audit = auditOf(null);
    await until('it is found', async () => {
      await audit.run();
      return audit.status().missing > 0;
    });
    expect(audit.status()).toMatchObject({ state: 'alarm', missing: 1 });
    expect(told).toMatchObject([
      { device: 'a', measurement: 'environment', time: '1970-01-01T00:00:05.001Z', position: 4 },
    ]);
  });

  test.each([
    ['is no alarm where the store says that it drops its oldest points', true, 'ok'],
    ['is an alarm where it keeps them all', false, 'alarm'],
  ] as const)('what is older than all that is there %s', async (_name, dropsOldPoints, state) => {
    const oldestNs = 4_000_000_000n;
    const store = replaced(bench.inner, {
      traits: { ...bench.inner.traits, dropsOldPoints },
      rows: ({ fromNs, ...query }, signal) =>
        bench.inner.rows({ ...query, fromNs: fromNs > oldestNs ? fromNs : oldestNs }, signal),
    });
    const writer = await bench.startWriter();
    await bench.append(6, 1);
    await bench.settled();
    const audit = auditOf(writer, { store });
    await runOften(audit);
    expect(audit.status().state).toBe(state);
  });

  test('leaves out frames that are dead letters, by place or by their bytes', async () => {
    bench.hindered.refuse = true;
    const store = replaced(bench.inner, { rows: withoutDevice('bad', bench) });
    const writer = await bench.startWriter();
    await bench.append(1, 2, { device: 'bad' });
    await bench.settled();
    expect(bench.journal.ledger().deadLettered).toBe(1);
    const audit = auditOf(writer, { store });
    await runOften(audit);
    expect(audit.status()).toMatchObject({ state: 'ok', missing: 0 });
    bench.hindered.refuse = false;
    await bench.append(1, 2, { device: 'bad' });
    await bench.settled();
    await runOften(audit);
    expect(audit.status()).toMatchObject({ state: 'alarm', missing: 2 });
    expect(new Set(told.map((fields) => 'position' in fields && fields.position))).toEqual(new Set([1]));
  });

  test('walks the dead letters once, however many frames are suspects', async () => {
    bench.hindered.refuse = true;
    const writer = await bench.startWriter();
    for (let i = 0; i < 20; i++) {
      await bench.append(1, 1, { device: 'bad' });
      await bench.settled();
    }
    expect(bench.journal.ledger().deadLettered).toBe(20);
    let walks = 0;
    const journal = replaced(bench.journal, {
      deadLetters: (limit, before) => {
        if (before === undefined) walks++;
        return bench.journal.deadLetters(limit, before);
      },
    });
    const audit = auditOf(writer, {
      journal,
      store: replaced(bench.inner, { rows: withoutDevice('bad', bench) }),
    });
    await audit.run();
    expect(walks).toBe(1);
    expect(audit.status()).toMatchObject({ state: 'ok', missing: 0 });
  });

  test('what is there at the second look is no alarm', async () => {
    const writer = await bench.startWriter();
    await bench.append(4);
    await bench.settled();
    let looks = 0;
    const hidden = withoutDevice('a', bench);
    const store = replaced(bench.inner, {
      rows: (query, signal) => (looks++ < 4 ? hidden(query, signal) : bench.inner.rows(query, signal)),
    });
    const audit = auditOf(writer, { store, random: seeded([0, 0.3, 0.6, 0.9]) });
    await audit.run();
    expect(looks).toBeGreaterThan(4);
    expect(audit.status()).toMatchObject({ state: 'ok', missing: 0 });
  });

  test('asks nothing of a store that is down, and nothing beyond what the writer has written', async () => {
    const writer = await bench.startWriter();
    await bench.append(4);
    await bench.settled();
    const rows = (): never => {
      throw new MillraceError('internal', 'asked');
    };
    const down = replaced(bench.inner, { rows, state: () => ({ state: 'down' as const, reason: 'away' }) });
    const audit = auditOf(writer, { store: down });
    await audit.run();
    expect(audit.status().checked).toBe(0);
    const early = auditOf(writer, { storedTo: () => 0 });
    await early.run();
    expect(early.status()).toMatchObject({ checked: 0, state: 'ok' });
  });

  test('runs by itself until it is stopped, within its bound of points', async () => {
    const writer = await bench.startWriter();
    await bench.append(30, 1_000);
    await bench.settled();
    const audit = auditOf(writer, { everyMs: 5, random: seeded([0.1, 0.5, 0.9]) });
    audit.start();
    await until('three runs', () => audit.status().checked >= 3 * 32);
    await audit.stop();
    const { checked } = audit.status();
    expect(checked % 32).toBe(0);
    const other = auditOf(writer, { everyMs: 5, random: seeded([0.1, 0.5, 0.9]) });
    other.start();
    await until('three runs of one with the same pace', () => other.status().checked >= 3 * 32);
    await other.stop();
    expect(audit.status().checked).toBe(checked);
  });
});

describe('the audit after dead letters were dropped by their limits', () => {
  const bench = new Bench({ maxDeadLetters: 2 });
  const hidden = () => replaced(bench.inner, { rows: withoutDevice('bad', bench) });
  const auditOf = (writer: Writer) =>
    new Audit({
      journal: bench.journal,
      registry: bench.registry,
      store: hidden(),
      clock: systemClock,
      logger: createLogger('silent'),
      random: Math.random,
      storedTo: () => writer.position,
      secondLookMs: 1,
    });

  test('takes a frame for refused whose letter may have been among them, and only such a one', async () => {
    const writer = await bench.startWriter();
    bench.hindered.refuse = true;
    for (let i = 0; i < 4; i++) {
      await bench.append(1, 1, { device: 'bad' });
      await bench.settled();
    }
    bench.hindered.refuse = false;
    expect(bench.journal.stats().ackedLettersDropped).toBe(2);
    const audit = auditOf(writer);
    for (let run = 0; run < 10; run++) await audit.run();
    expect(audit.status()).toMatchObject({ state: 'ok', missing: 0 });
    expect(audit.status().checked).toBeGreaterThan(0);
    await bench.append(1, 1, { device: 'bad' });
    await bench.settled();
    await until('the point behind them is missed', async () => {
      await audit.run();
      return audit.status().missing === 1;
    });
  });

  test('is not blind because letters of refused frames were dropped', async () => {
    const writer = await bench.startWriter();
    const origin = { device: 'r', transport: 'ws' as const, onDurable: () => {}, onFailed: () => {} };
    for (let seq = 1; seq <= 5; seq++) {
      const letter = { device: 'r', transport: 'ws' as const, atMs: 1, code: 'frame_block', message: 'x' };
      bench.journal.reject(origin, seq, { ...letter, readings: 1, position: null, bytes: Buffer.from('x') });
    }
    await bench.append(1, 1, { device: 'bad' });
    await bench.settled();
    expect(bench.journal.stats()).toMatchObject({ lettersDropped: 3, ackedLettersDropped: 0 });
    const audit = auditOf(writer);
    await audit.run();
    expect(audit.status()).toMatchObject({ state: 'alarm', missing: 1 });
  });
});

describeWithInflux('the audit of what InfluxDB holds', () => {
  const bench = new Bench();
  let influx: InfluxServer;
  beforeAll(async () => {
    influx = await startInflux();
  });
  afterAll(() => influx.stop());

  test('raises an alarm for points that were deleted behind its back, and for no others', async () => {
    const { url, token, org } = influx;
    const bucket = await influx.newBucket();
    const store = await openInfluxStore({ url, token, org, bucket });
    try {
      const writer = await bench.startWriter({ store });
      await bench.append(20, 3);
      await bench.append(3, 3, { device: 'b' });
      await bench.settled();
      const audit = new Audit({
        journal: bench.journal,
        registry: bench.registry,
        store,
        clock: systemClock,
        logger: createLogger('silent'),
        random: Math.random,
        storedTo: () => writer.position,
        secondLookMs: 1,
      });
      for (let run = 0; run < 10; run++) await audit.run();
      expect(audit.status()).toMatchObject({ state: 'ok', missing: 0 });
      expect(audit.status().checked).toBeGreaterThan(100);
      const response = await fetch(`${url}/api/v2/delete?org=${org}&bucket=${bucket}`, {
        method: 'POST',
        headers: { authorization: `Token ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          start: '1970-01-01T00:00:05Z',
          stop: '1970-01-01T00:00:05.9Z',
          predicate: '_measurement="environment" AND device="a"',
        }),
      });
      expect(response.status).toBe(204);
      await until('all of them are missed', async () => {
        await audit.run();
        return audit.status().missing === 3;
      });
      expect(audit.status().state).toBe('alarm');
    } finally {
      await bench.settled();
      await store.close();
    }
  });
});

/** As the store's rows(), but without those of one device. */
function withoutDevice(device: string, bench: Bench): Store['rows'] {
  return async (query, signal) => {
    const answer = await bench.inner.rows(query, signal);
    async function* chunks(): AsyncGenerator<AnswerBatch> {
      for await (const batch of answer.chunks) {
        const others = rowsOfBatch(batch).filter((row) => row[1] !== device);
        yield batchOfRows(answer.columns, others);
      }
    }
    return { ...answer, chunks: chunks() };
  };
}

function seeded(values: readonly number[]): () => number {
  let i = 0;
  return () => values[i++ % values.length] ?? 0;
}
