import { describe, expect, test } from '@jest/globals';
import { AgeClock, LIMITS, type KnownTime } from '../../src/core/index.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Date.UTC(2026, 5, 1);

/** A wall clock that can be put right and wrong, and a steady one; time passes by hand, with a look each minute. */
class Scene {
  wallMs: number;
  steadyMs = 0;
  readonly clock: AgeClock;

  constructor(known: KnownTime | null = { ms: NOW_MS, trusted: true }, wallMs = NOW_MS, aheadMs = DAY_MS) {
    this.wallMs = wallMs;
    const wall = { nowMs: () => this.wallMs };
    this.clock = new AgeClock(wall, { nowMs: () => this.steadyMs }, known, aheadMs);
  }

  pass(ms: number): this {
    for (let left = ms; left > 0; left -= MINUTE_MS) {
      const step = Math.min(left, MINUTE_MS);
      this.wallMs += step;
      this.steadyMs += step;
      this.clock.known();
    }
    return this;
  }

  jump(ms: number): this {
    this.wallMs += ms;
    return this;
  }

  /** Time for ages since NOW_MS, rounded to minutes: it may follow corrections by a thousandth. */
  get aged(): number {
    return Math.round((this.clock.ages.nowMs() - NOW_MS) / MINUTE_MS) * MINUTE_MS;
  }

  get state(): string {
    return this.clock.condition().state;
  }
}

describe('time for ages', () => {
  test('is the wall clock’s while that goes as the steady one does', () => {
    const scene = new Scene();
    for (let day = 0; day < 40; day++) scene.pass(DAY_MS);
    expect(scene.clock.ages.nowMs()).toBe(scene.wallMs);
    expect(scene.clock.stamps.nowMs()).toBe(scene.wallMs);
    expect(scene.state).toBe('ok');
  });

  test('does not follow a jump ahead, which is told, and is home again with it', () => {
    const scene = new Scene()
      .pass(HOUR_MS)
      .jump(31 * DAY_MS)
      .pass(MINUTE_MS);
    expect(scene.aged).toBe(HOUR_MS + MINUTE_MS);
    expect(scene.state).toBe('ahead');
    scene.jump(-31 * DAY_MS).pass(MINUTE_MS);
    expect(scene.aged).toBe(HOUR_MS + 2 * MINUTE_MS);
    expect(scene.state).toBe('ok');
  });

  test('goes back with a clock that is put back, and is home again with it', () => {
    const scene = new Scene()
      .pass(HOUR_MS)
      .jump(-22 * HOUR_MS)
      .pass(MINUTE_MS);
    expect(scene.aged).toBe(-21 * HOUR_MS + MINUTE_MS);
    expect(scene.state).toBe('ok');
    scene.jump(22 * HOUR_MS).pass(MINUTE_MS);
    expect(scene.aged).toBe(HOUR_MS + 2 * MINUTE_MS);
  });

  test('follows a jump that has stood for a day', () => {
    const scene = new Scene().jump(31 * DAY_MS).pass(LIMITS.clockAdoptMs - MINUTE_MS);
    expect(scene.aged).toBeLessThan(2 * DAY_MS);
    scene.pass(2 * MINUTE_MS);
    expect(scene.clock.ages.nowMs()).toBe(scene.wallMs);
    expect(scene.state).toBe('ok');
  });

  test('begins the day anew with every jump', () => {
    const scene = new Scene();
    for (let jump = 0; jump < 10; jump++) scene.jump(DAY_MS).pass(LIMITS.clockAdoptMs / 2);
    expect(scene.aged).toBeLessThan(6 * DAY_MS);
  });

  test('goes on at a start from where it was, whatever the clock says by then', () => {
    const scene = new Scene({ ms: NOW_MS, trusted: true }, NOW_MS + 31 * DAY_MS).pass(MINUTE_MS);
    expect(scene.aged).toBe(MINUTE_MS);
    expect(new Scene(scene.clock.known(), scene.wallMs).aged).toBe(MINUTE_MS);
  });

  test('stamps with the later and ages by the earlier, so that nothing looks older than it is when the clock is put right', () => {
    for (const jumpMs of [-20 * DAY_MS, 20 * DAY_MS]) {
      const scene = new Scene().pass(HOUR_MS).jump(jumpMs);
      const stampMs = scene.clock.stamps.nowMs();
      scene.jump(-jumpMs).pass(MINUTE_MS);
      expect(scene.clock.ages.nowMs() - stampMs).toBeLessThanOrEqual(2 * MINUTE_MS);
    }
  });

  test('never runs faster than the steady clock by more than a thousandth', () => {
    const scene = new Scene();
    for (let second = 0; second < 3_600; second++) {
      scene.wallMs += 2_000;
      scene.steadyMs += 1_000;
      scene.clock.known();
    }
    expect(scene.clock.ages.nowMs() - NOW_MS).toBeLessThanOrEqual(HOUR_MS * 1.0011);
  });
});

describe('a clock that is behind', () => {
  test('is wrong where it tells a time before the program was made, however little is known', () => {
    const scene = new Scene(null, 0).pass(MINUTE_MS);
    expect(scene.state).toBe('wrong');
    expect(scene.clock.earliestMs).toBe(LIMITS.builtMs);
    for (let day = 0; day < 3; day++) scene.pass(DAY_MS);
    expect(scene.state).toBe('wrong');
    scene.wallMs = NOW_MS;
    expect(scene.state).not.toBe('wrong');
  });

  test('is wrong where right readings would be too far ahead of it, and right again when it is', () => {
    const scene = new Scene().jump(-DAY_MS - HOUR_MS).pass(MINUTE_MS);
    expect(scene.state).toBe('wrong');
    scene.jump(DAY_MS + HOUR_MS);
    expect(scene.state).toBe('ok');
    const strict = new Scene(undefined, NOW_MS, 5 * MINUTE_MS).jump(-6 * MINUTE_MS);
    expect(strict.state).toBe('wrong');
  });

  test('is wrong at a start, too, by what was known before', () => {
    expect(new Scene({ ms: NOW_MS, trusted: true }, NOW_MS - 2 * DAY_MS).state).toBe('wrong');
    expect(new Scene({ ms: NOW_MS, trusted: false }, NOW_MS - 2 * DAY_MS).state).toBe('ok');
  });

  test('is not held against one that was first ahead: only a time that stood for an hour is known', () => {
    const scene = new Scene(null, NOW_MS + 300 * DAY_MS).pass(MINUTE_MS).jump(-300 * DAY_MS);
    expect(scene.state).toBe('ok');
    const known = new Scene(null).pass(LIMITS.clockTrustMs + MINUTE_MS).jump(-3 * DAY_MS);
    expect(known.state).toBe('wrong');
    expect(known.clock.known().trusted).toBe(true);
  });

  test('is believed when it has kept step for a day, so that a wrong time in the past stops nothing for good', () => {
    const scene = new Scene({ ms: NOW_MS + 300 * DAY_MS, trusted: true });
    expect(scene.state).toBe('wrong');
    scene.pass(LIMITS.clockAdoptMs + MINUTE_MS);
    expect(scene.state).toBe('ok');
    expect(scene.clock.ages.nowMs()).toBe(scene.wallMs);
  });
});
