import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { type Part, Parts } from '../../src/app/parts.ts';

const DEADLINE_MS = 1_000;
const PHASES = ['announce', 'drain', 'close'] as const;
const NAMES = ['first', 'second', 'third', 'fourth'];

/** What happened, in order: `start first`, `drain first` … */
let events: string[];
let told: Record<string, unknown>[];
let parts: Parts;

beforeEach(() => {
  events = [];
  told = [];
  const logger = pino({}, { write: (line) => told.push(JSON.parse(line) as Record<string, unknown>) });
  parts = new Parts(logger, DEADLINE_MS);
});

afterEach(() => {
  jest.useRealTimers();
});

/** A part that has every phase and notes them, with its own name as its value. */
function noting(name: string, failing: { step: string; how: () => unknown } | null = null): Part<string> {
  const note = (step: string): unknown => {
    events.push(`${step} ${name}`);
    return failing?.step === step ? failing.how() : undefined;
  };
  return {
    name,
    start: async () => {
      await note('start');
      return name;
    },
    announce: () => note('announce'),
    drain: () => note('drain'),
    close: () => note('close'),
  };
}

const fail = (): never => {
  throw new Error('broken');
};
const rejectLater = async (): Promise<never> => {
  await Promise.resolve();
  return fail();
};
const hang = (): Promise<never> => new Promise(() => {});

const backwards = (phase: string, names: readonly string[]): string[] =>
  names.toReversed().map((name) => `${phase} ${name}`);
const wholeStop = PHASES.flatMap((phase) => backwards(phase, NAMES));

/** Starts all parts, the named one with a step that fails. */
async function startAll(name = '', step = '', how: () => unknown = fail): Promise<void> {
  for (const each of NAMES) await parts.start(noting(each, each === name ? { step, how } : null));
}

test('parts start in order and end in the opposite one, phase by phase', async () => {
  await startAll();
  expect(events).toEqual(NAMES.map((name) => `start ${name}`));
  expect(parts.stopping).toBe(false);
  events = [];
  const stopped = parts.stop();
  expect(parts.stopping).toBe(true);
  await stopped;
  expect(events).toEqual(wholeStop);
  expect(told).toEqual([]);
});

test('a start hands its value on, to the phases of the part as well', async () => {
  const seen: number[] = [];
  const value = await parts.start({
    name: 'number',
    start: () => Promise.resolve(41),
    drain: (it) => seen.push(it + 1),
    close: (it) => seen.push(it + 2),
  });
  await parts.stop();
  expect([value, ...seen]).toEqual([41, 42, 43]);
});

test('phases that a part does not have are passed over', async () => {
  await parts.start(noting('first'));
  await parts.start({ name: 'bare', start: () => 0 });
  await parts.stop();
  expect(events).toEqual(['start first', 'announce first', 'drain first', 'close first']);
});

describe('when a start fails', () => {
  test.each(NAMES)('of the %s part, those before it are closed, without the other phases', async (name) => {
    await expect(startAll(name, 'start')).rejects.toThrow('broken');
    events = [];
    await parts.abandon();
    expect(events).toEqual(backwards('close', NAMES.slice(0, NAMES.indexOf(name))));
  });

  test('and a close after it fails, too, the others are closed and the error is logged', async () => {
    await startAll('second', 'close');
    events = [];
    await parts.abandon();
    expect(events).toEqual(backwards('close', NAMES));
    expect(told).toEqual([expect.objectContaining({ part: 'second', phase: 'close' })]);
  });
});

describe.each(PHASES)('when %s fails', (phase) => {
  test.each(
    NAMES.flatMap((name) =>
      [
        ['throws', fail],
        ['rejects', rejectLater],
      ].map(([word, how]) => [name, word, how] as [string, string, () => unknown]),
    ),
  )('of the %s part, which %s, everything else ends, and the error is told', async (name, _, how) => {
    await startAll(name, phase, how);
    events = [];
    await expect(parts.stop()).rejects.toThrow('broken');
    expect(events).toEqual(wholeStop);
    expect(told).toEqual([
      expect.objectContaining({ part: name, phase, msg: expect.stringMatching('broken') }),
    ]);
  });

  test.each(NAMES)('of the %s part, which hangs, everything else ends within the deadline', async (name) => {
    await startAll(name, phase, hang);
    events = [];
    jest.useFakeTimers();
    const stopped = parts.stop();
    await jest.advanceTimersByTimeAsync(DEADLINE_MS);
    await stopped;
    expect(events).toEqual(wholeStop);
    expect(told).toEqual([
      expect.objectContaining({ part: name, phase, msg: expect.stringMatching('hangs') }),
    ]);
  });
});

test('when every step hangs, all have had their turn within the deadline', async () => {
  for (const name of NAMES) {
    const part = noting(name);
    await parts.start({
      ...part,
      announce: (it) => [part.announce?.(it), hang()][1],
      drain: (it) => [part.drain?.(it), hang()][1],
      close: (it) => [part.close?.(it), hang()][1],
    });
  }
  events = [];
  jest.useFakeTimers();
  const stopped = parts.stop();
  // No timer is shorter than a millisecond.
  await jest.advanceTimersByTimeAsync(DEADLINE_MS + wholeStop.length);
  await stopped;
  expect(events).toEqual(wholeStop);
  expect(told).toHaveLength(wholeStop.length);
});

test('a step that hangs leaves time to those after it', async () => {
  await parts.start({
    name: 'slow',
    start: () => 0,
    close: async () => {
      await new Promise((resolve) => setTimeout(resolve, DEADLINE_MS / 5));
      events.push('slow is closed');
    },
  });
  await parts.start(noting('hanging', { step: 'drain', how: hang }));
  jest.useFakeTimers();
  const stopped = parts.stop();
  await jest.advanceTimersByTimeAsync(DEADLINE_MS);
  await stopped;
  expect(events).toContain('slow is closed');
  expect(told).toEqual([expect.objectContaining({ part: 'hanging' })]);
});

test('an error that comes after a step was left behind does no harm', async () => {
  let reject: (error: Error) => void = () => {};
  await parts.start({
    name: 'slow',
    start: () => 0,
    close: () => new Promise((_, no) => (reject = no)),
  });
  jest.useFakeTimers();
  const stopped = parts.stop();
  await jest.advanceTimersByTimeAsync(DEADLINE_MS);
  await stopped;
  reject(new Error('too late'));
  await jest.advanceTimersByTimeAsync(1);
  expect(told).toHaveLength(1);
});
