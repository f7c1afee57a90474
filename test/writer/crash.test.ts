import { describe, expect, test } from '@jest/globals';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { until } from '../fixtures/until.ts';
import { BASE_NS, batchOf, shape } from '../store/points.ts';
import { Bench, replaced } from './harness.ts';

describe('a crash between the store’s commit and the journal’s record', () => {
  const bench = new Bench();

  test('brings dead letters back whole, once, by transport', async () => {
    await bench.append(3, 2, { device: 'a', transport: 'ws' });
    await bench.append(3, 5, { device: 'b', transport: 'http' });
    // Frames that the registry does not know by now, as after its loss: they cannot become points.
    const unknown = new Set([2, 4]);
    const registry = replaced(bench.registry, {
      resolve: (bytes: Uint8Array, start: number, end: number) => {
        const resolved = bench.registry.resolve(bytes, start, end);
        if (unknown.has(++asked)) throw new Error('no such schema');
        return resolved;
      },
    });
    let asked = 0;
    const { hindered } = bench;
    const killed = replaced(bench.journal, { settle: () => Promise.reject(new Error('killed')) });
    const first = await bench.startWriter({ journal: killed, registry });
    await until('the store has it', () => bench.inner.position()?.position === 6);
    await first.stop(0);
    expect(bench.journal.ledger()).toMatchObject({ received: 21, stored: 0, deadLettered: 0, pending: 21 });

    hindered.writes.length = 0;
    await bench.startWriter();
    const { byTransport } = bench.journal.ledger();
    expect(byTransport.ws).toMatchObject({ received: 6, stored: 4, deadLettered: 2, pending: 0 });
    expect(byTransport.http).toMatchObject({ received: 15, stored: 10, deadLettered: 5, pending: 0 });
    const letters = bench.journal.deadLetters(10);
    expect(
      letters.map(({ device, transport, readings, position, message }) => [
        device,
        transport,
        readings,
        position,
        message,
      ]),
    ).toEqual([
      ['b', 'http', 5, 3, 'no such schema'],
      ['a', 'ws', 2, 1, 'no such schema'],
    ]);
    expect(Buffer.from(letters[1]?.bytes ?? [])).toEqual(
      environmentFrame([{ time: 2_000 }, { time: 2_001 }]),
    );

    await bench.append(1, 2, { device: 'a' });
    await bench.settled();
    expect(hindered.writes).toEqual([2]);
    expect(bench.journal.deadLetters(10)).toHaveLength(2);
    expect(bench.journal.ledger()).toMatchObject({ received: 23, stored: 16, deadLettered: 7, pending: 0 });
  });
});

describe('a crash after points that the store itself refused', () => {
  const bench = new Bench();

  test('makes a dead letter of their frame, with the store’s reason', async () => {
    const other = shape('environment', { temperature: 'string' });
    const odd = { timeNs: BASE_NS, device: 'z', fields: { temperature: 'warm' } };
    await bench.inner.write([batchOf(other, [odd])], { epoch: 'another', position: 1, refused: [] });
    await bench.append(2, 3);
    const origin = { device: 'c', transport: 'mqtt' as const, onDurable: () => {}, onFailed: () => {} };
    bench.journal.append(origin, 1, environmentFrame([{ time: 9_000, temperature: null }]), 1, Date.now());
    await bench.journal.flush();
    const killed = replaced(bench.journal, { settle: () => Promise.reject(new Error('killed')) });
    const first = await bench.startWriter({ journal: killed });
    await until('the store has it', () => bench.inner.position()?.position === 3);
    await first.stop(0);

    await bench.startWriter();
    const { ws, mqtt } = bench.journal.ledger().byTransport;
    expect(ws).toMatchObject({ received: 6, stored: 0, deadLettered: 6, pending: 0 });
    expect(mqtt).toMatchObject({ received: 1, stored: 1, deadLettered: 0, pending: 0 });
    const letters = bench.journal.deadLetters(10);
    expect(letters.map(({ position, readings, code }) => [position, readings, code])).toEqual([
      [1, 3, 'store_refused'],
      [0, 3, 'store_refused'],
    ]);
    expect(letters[0]?.message).toContain('temperature is stored as field of type string');
  });
});

describe('a store and a journal of different age', () => {
  const bench = new Bench();

  test('a store ahead of the journal raises an alarm, and frames go on being stored under their new positions', async () => {
    await bench.inner.write([], { epoch: bench.journal.epoch, position: 1_000, refused: [] });
    await bench.append(3);
    const writer = await bench.startWriter();
    expect(writer.status().alarm).toMatch(/the journal lacks frames 3 to 999 .*put back/);
    // at once: were it to stay, a restart after 1,000 more frames would take them for stored
    expect(bench.inner.position()).toMatchObject({ position: 0 });
    await bench.settled();
    expect((await bench.rows()).length).toBe(6);
    expect(bench.journal.ledger()).toMatchObject({ received: 6, stored: 6 });
    expect(bench.inner.position()).toMatchObject({ position: 3 });
  });

  test('a store that cannot be told at the start is told before the first batch', async () => {
    await bench.inner.write([], { epoch: bench.journal.epoch, position: 1_000, refused: [] });
    let left = 2;
    bench.hindered.before = () => {
      if (left-- > 0) throw new Error('away');
    };
    await bench.startWriter();
    await bench.append(2);
    await bench.settled();
    expect(bench.hindered.writes).toEqual([0, 4]);
    expect((await bench.rows()).length).toBe(4);
  });

  test('a store of another journal is told of this one', async () => {
    await bench.inner.write([], { epoch: 'another', position: 1_000, refused: [] });
    const writer = await bench.startWriter();
    expect(writer.status().alarm).toBeNull();
    expect(bench.inner.position()).toEqual({ epoch: bench.journal.epoch, position: 0, refused: [] });
  });

  test('a store put back to an earlier state gets again what the journal still has, and nothing counts twice', async () => {
    const first = await bench.startWriter();
    await bench.append(10);
    await bench.settled();
    await first.stop(0);
    const { epoch } = bench.journal;
    for (const earlier of [{ epoch, position: 4, refused: [] }, null]) {
      bench.hindered.writes.length = 0;
      const store = replaced(bench.hindered.store, { position: () => earlier });
      const writer = await bench.startWriter({ store });
      await bench.append(1);
      await bench.settled();
      await writer.stop(0);
      const again = earlier === null ? 22 : 12;
      expect(bench.hindered.writes).toEqual([again, 2]);
    }
    expect(bench.journal.ledger()).toMatchObject({ received: 24, stored: 24, pending: 0 });
    expect((await bench.rows()).length).toBe(24);
  });
});
