import { describe, expect, test } from '@jest/globals';
import { MillraceError } from '../../src/core/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { until } from '../fixtures/until.ts';
import { Bench, replaced } from './harness.ts';

const MB = 1024 * 1024;
const away = (): never => {
  throw new MillraceError('store_unavailable', 'away');
};

describe('expire-oldest by bytes', () => {
  const bench = new Bench({ maxBytes: MB, blockBytes: 20_000 });

  test('while the store is away the oldest blocks go before the journal is full, and the newest are stored after it', async () => {
    let isAway = true;
    bench.hindered.before = () => (isAway ? away() : undefined);
    bench.hindered.beforeProbe = () => (isAway ? away() : undefined);
    // What a store without a position of its own is told of what it will never get.
    const told: number[] = [];
    const store = replaced(bench.hindered.store, { setPosition: ({ position }) => told.push(position) });
    await bench.startWriter({ store, expiry: { maxAgeMs: null } });
    let sent = 0;
    const states = new Set<string>();
    while (bench.expired < 20_000) {
      await bench.append(5, 200);
      sent += 1_000;
      states.add(bench.journal.stats().state);
      await until('room', () => bench.journal.stats().bytes < 0.95 * MB);
      expect(bench.journal.ledger()).toMatchObject({ received: sent });
    }
    expect(states.has('full')).toBe(false);
    expect(told.at(-1)).toBe(bench.journal.settledPosition());
    const { expired, pending } = bench.journal.ledger();
    expect(expired).toBe(bench.expired);
    expect(expired + pending).toBe(sent);
    expect(bench.journal.stats().pendingBytes).toBeGreaterThan(0.8 * MB);

    isAway = false;
    await bench.settled();
    const ledger = bench.journal.ledger();
    expect(ledger).toMatchObject({ received: sent, pending: 0, stored: sent - ledger.expired });
    const rows = await bench.rows();
    expect(rows.length).toBe(ledger.stored);
    // the oldest went: what is left begins where they end
    expect(rows[0]?.[0]).toBe(BigInt(ledger.expired / 200 + 1) * 1_000_000_000n);
  });

  test('frames of a write under way are not given up, but once it has failed', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let writes = 0;
    bench.hindered.before = async () => {
      if (writes++ > 0) return;
      await held;
      away();
    };
    await bench.startWriter({ expiry: { maxAgeMs: null } });
    while (bench.journal.stats().bytes < MB) await bench.append(5, 200);
    await until('the write is under way', () => writes === 1);
    expect(bench.journal.ledger().expired).toBe(0);
    release();
    await bench.settled();
    const { expired, received, stored } = bench.journal.ledger();
    expect(expired).toBeGreaterThan(0);
    expect(stored).toBe(received - expired);
    expect((await bench.rows()).length).toBe(stored);
  });

  test('counts by transport', async () => {
    bench.hindered.before = away;
    bench.hindered.beforeProbe = away;
    await bench.startWriter({ expiry: { maxAgeMs: null } });
    while (bench.expired === 0) {
      await bench.append(2, 200, { device: 'a', transport: 'ws' });
      await bench.append(3, 200, { device: 'b', transport: 'mqtt' });
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { ws, mqtt, http } = bench.journal.ledger().byTransport;
    expect(ws.expired + mqtt.expired).toBe(bench.expired);
    expect(mqtt.expired).toBeGreaterThan(ws.expired);
    expect(http.expired).toBe(0);
    expect(Math.min(ws.pending, mqtt.pending)).toBeGreaterThan(0);
  });
});

describe('expire-oldest by age', () => {
  const bench = new Bench();
  const old = Date.now() - 10_000_000;

  test('blocks with nothing younger than the age go while the store is away', async () => {
    let isAway = true;
    bench.hindered.before = () => (isAway ? away() : undefined);
    bench.hindered.beforeProbe = () => (isAway ? away() : undefined);
    await bench.append(4, 2, { arrivalMs: old });
    await bench.append(4, 2, { arrivalMs: old + 5_000_000 });
    await bench.append(4);
    await bench.startWriter({ expiry: { maxAgeMs: 7_000_000 } });
    await until('they are gone', () => bench.journal.ledger().expired > 0);
    expect(bench.journal.ledger()).toMatchObject({ received: 24, expired: 8, pending: 16 });
    isAway = false;
    await bench.settled();
    expect(bench.journal.ledger()).toMatchObject({ received: 24, expired: 8, stored: 16 });
    expect((await bench.rows()).length).toBe(16);
  });

  test('a frame that came back from the dead letters is as young as its coming back', async () => {
    bench.hindered.before = away;
    bench.hindered.beforeProbe = away;
    const origin = { device: 'a', transport: 'ws' as const, onDurable: () => {}, onFailed: () => {} };
    const bytes = environmentFrame([{ time: 1_000 }]);
    const refusal = { code: 'schema_unknown', message: 'not yet', readings: 1, position: null };
    bench.journal.reject(origin, 1, { device: 'a', transport: 'ws', atMs: old, ...refusal, bytes });
    await bench.journal.flush();
    const [letter] = bench.journal.deadLetters(1);
    await bench.journal.replay([{ id: letter?.id ?? '', readings: 1, content: null }]);
    await bench.append(4, 2, { device: 'b', arrivalMs: old });
    expect(bench.journal.ledger()).toMatchObject({ received: 9, pending: 9 });
    await bench.startWriter({ expiry: { maxAgeMs: 1_000_000 } });
    await until('the store to have failed', () => bench.failures.length > 3);
    expect(bench.journal.ledger()).toMatchObject({ expired: 0, pending: 9 });
  });

  test('while the store takes writes nothing goes for its age', async () => {
    await bench.append(4, 2, { arrivalMs: old });
    await bench.startWriter({ expiry: { maxAgeMs: 1_000 } });
    await bench.settled();
    expect(bench.journal.ledger()).toMatchObject({ received: 8, expired: 0, stored: 8 });
  });
});

describe('refuse', () => {
  const bench = new Bench({ maxBytes: MB, blockBytes: 20_000 });

  test('gives nothing up: the journal says that it fills, and then that it is full', async () => {
    bench.hindered.before = away;
    bench.hindered.beforeProbe = away;
    await bench.startWriter();
    const states: string[] = [];
    while (bench.journal.accepting()) {
      await bench.append(5, 200);
      const { state } = bench.journal.stats();
      if (states.at(-1) !== state) states.push(state);
    }
    expect(states).toEqual(['open', 'filling', 'full']);
    expect(bench.journal.ledger().expired).toBe(0);
  });
});
