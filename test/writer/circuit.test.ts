import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Circuit } from '../../src/writer/circuit.ts';
import { backoffMs } from '../../src/writer/backoff.ts';

class ManualClock {
  ms = 0;
  nowMs(): number {
    return this.ms;
  }
}

function circuit(random = (): number => 1): { clock: ManualClock; it: Circuit } {
  const clock = new ManualClock();
  return {
    clock,
    it: new Circuit({ openAfter: 3, baseMs: 100, maxMs: 2_000, maxAskedMs: 60_000, clock, random }),
  };
}

describe('the circuit before the store', () => {
  test('waits after every failure, up to twice as long each time, and opens after the third', () => {
    const { clock, it } = circuit();
    expect([it.state, it.attempt(), it.retryInMs()]).toEqual(['closed', 'write', 0]);
    expect(it.failed(0)).toBe(100);
    expect([it.state, it.retryInMs()]).toEqual(['closed', 100]);
    clock.ms += 100;
    expect([it.retryInMs(), it.attempt(), it.failed(0)]).toEqual([0, 'write', 200]);
    expect(it.state).toBe('closed');
    expect(it.failed(0)).toBe(400);
    expect(it.state).toBe('open');
  });

  test('asks first when its wait is over, and closes with a write that goes well', () => {
    const { clock, it } = circuit();
    for (let i = 0; i < 3; i++) it.failed(0);
    expect(it.state).toBe('open');
    clock.ms += 400;
    expect([it.attempt(), it.state]).toEqual(['probe', 'half-open']);
    expect([it.failed(0), it.state]).toEqual([800, 'open']);
    clock.ms += 800;
    expect(it.attempt()).toBe('probe');
    it.succeeded();
    expect([it.state, it.failures, it.retryInMs(), it.attempt()]).toEqual(['closed', 0, 0, 'write']);
    expect(it.failed(0)).toBe(100);
  });

  test('waits as long as the store asks for, also longer than by itself, up to a bound', () => {
    const { it } = circuit(() => 0);
    expect(it.failed(700)).toBe(700);
    expect(it.failed(45_000)).toBe(45_000);
    expect(it.failed(3_600_000)).toBe(60_000);
    expect(it.failed(0)).toBe(1);
  });

  test('full jitter: any wait is above 0, below the doubling bound, and never above the longest', () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (n, r) => {
        const waitMs = backoffMs(n, 100, 30_000, () => r);
        expect(waitMs).toBeGreaterThanOrEqual(1);
        expect(waitMs).toBeLessThanOrEqual(Math.min(30_000, 100 * 2 ** Math.min(n, 30)));
      }),
    );
  });
});
