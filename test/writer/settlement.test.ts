import { describe, expect, test } from '@jest/globals';
import { NO_READINGS } from '../../src/core/index.ts';
import type { Journal } from '../../src/journal/index.ts';
import { settlementOf } from '../../src/writer/settlement.ts';
import { Bench, replaced } from './harness.ts';

describe('a settlement', () => {
  const bench = new Bench();

  test('reads each block once, however many of its frames are refused, and in whatever order', async () => {
    const blocks = new Set<number>();
    for (let block = 0; block < 3; block++) {
      await Promise.all([bench.append(100, 3), bench.append(100, 3, { device: 'b', transport: 'mqtt' })]);
    }
    const head = bench.journal.head();
    for (let at = 0; at < head;) {
      const block = bench.journal.read(at);
      if (block === undefined) throw new Error('no block');
      blocks.add(block.first);
      at = block.next;
    }
    const reads: number[] = [];
    const journal: Journal = replaced(bench.journal, {
      read: (position) => {
        reads.push(position);
        return bench.journal.read(position);
      },
    });
    const refused = Array.from({ length: head - 1 }, (_, i) => ({
      position: head - 1 - i,
      readings: i % 2 === 0 ? 2 : 9,
      code: 'store_refused',
      message: 'no',
    }));
    const received = { ...NO_READINGS, ws: 900, mqtt: 900 };
    const settlement = await settlementOf(journal, { from: 0, position: head, received }, refused);
    expect(reads).toHaveLength(blocks.size);
    expect(settlement.deadLetters.map(({ position }) => position)).toEqual(
      Array.from({ length: head - 1 }, (_, i) => i + 1),
    );
    const lettered = settlement.deadLetters.reduce((sum, { readings }) => sum + readings, 0);
    // no more than the frame has
    expect(Math.max(...settlement.deadLetters.map(({ readings }) => readings))).toBe(3);
    expect(settlement.stored.ws + settlement.stored.mqtt + lettered).toBe(1_800);
    await bench.journal.settle(settlement);
    expect(bench.journal.ledger()).toMatchObject({ received: 1_800, pending: 0, deadLettered: lettered });
  });
});
