import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { type Child, Supervisor } from '../../../src/app/child-process/index.ts';
import { LIMITS } from '../../../src/core/index.ts';
import { ManualTimers } from '../../client/manual-timers.ts';

/** What the clock says when the test begins. */
const START_MS = 1_700_000_000_000;
const BEGIN_MS = 5_000;
const SILENT_MS = 10_000;
/** No wait between two starts is longer, and a process that ran for longer starts the waits over. */
const LONGEST_MS = LIMITS.processRestartMaxMs;

/** A process whose every move is the test's. */
class FakeChild implements Child {
  readonly pid: number;
  readonly ended: Promise<string>;
  readonly begun: Promise<void>;
  killed = false;
  /** Resolves its beginning. */
  begin: () => void = () => {};
  /** Rejects its beginning. */
  refuse: (error: Error) => void = () => {};
  end: (how: string) => void = () => {};
  /** What it answers when it is asked for a sign of life. */
  answer: () => Promise<string | null> = () => Promise.resolve(null);

  constructor(pid: number) {
    this.pid = pid;
    this.ended = new Promise((resolve) => (this.end = resolve));
    this.begun = new Promise((resolve, reject) => {
      this.begin = resolve;
      this.refuse = reject;
    });
  }

  kill(): void {
    this.killed = true;
    this.end('SIGKILL');
  }
}

let timers: ManualTimers;
let children: FakeChild[];
let ends: string[];
let told: Record<string, unknown>[];
let beginMs: number | null;
let readyEnds: boolean[];
let progresses: boolean;
let canSpawn: boolean;
/** What dealing with an end fails with. */
let endFault: Error | null;
let supervisor: Supervisor<FakeChild>;

beforeEach(() => {
  timers = new ManualTimers();
  children = [];
  ends = [];
  told = [];
  beginMs = BEGIN_MS;
  readyEnds = [];
  progresses = false;
  canSpawn = true;
  endFault = null;
  const logger = pino({}, { write: (line) => told.push(JSON.parse(line) as Record<string, unknown>) });
  supervisor = new Supervisor<FakeChild>(
    {
      name: 'the test process',
      pidField: 'testPid',
      spawn: () => {
        if (!canSpawn) throw new Error('no room');
        const child = new FakeChild(children.length + 1);
        children.push(child);
        return child;
      },
      begin: (child) => child.begun,
      beginMs: () => beginMs,
      ask: (child) => child.answer(),
      silentMs: SILENT_MS,
      onEnd: (child, reason, wasReady) => {
        ends.push(reason);
        readyEnds.push(wasReady);
        if (progresses) supervisor.progressed();
        // As calls that are under way when a process ends.
        child.refuse(new Error(reason));
        if (endFault !== null) throw endFault;
      },
    },
    // The longest wait of those that it chooses from.
    { clock: { nowMs: () => START_MS + timers.nowMs() }, timing: timers, random: () => 1, logger },
  );
});

// Whatever happened, a closed one leaves no timer behind.
afterEach(async () => {
  const closed = supervisor.close(0, async () => {});
  await moved(1);
  await closed;
  expect(timers.waiting).toBe(0);
});

/** Lets the time go on, a look of the watchdog at a time, and everything happen that follows from it. */
async function moved(ms: number): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  for (let left = ms; left > 0; left -= LIMITS.processLookMs) {
    timers.move(Math.min(left, LIMITS.processLookMs));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function newest(): FakeChild {
  const child = children.at(-1);
  if (child === undefined) throw new Error('none was started');
  return child;
}

async function startedOne(): Promise<FakeChild> {
  const started = supervisor.start();
  newest().begin();
  await started;
  return newest();
}

const messages = (): unknown[] => told.map(({ msg }) => msg);

test('a process that begins in time is ready, and runs on while it answers', async () => {
  const started = supervisor.start();
  expect([supervisor.child, supervisor.ready]).toEqual([newest(), false]);
  await moved(BEGIN_MS - 1_000);
  newest().begin();
  await started;
  expect(supervisor.ready).toBe(true);
  await moved(10 * SILENT_MS);
  expect([children.length, newest().killed]).toEqual([1, false]);
  expect(told).toEqual([expect.objectContaining({ testPid: 1, msg: 'the test process runs' })]);
});

describe('the first start', () => {
  test('that takes too long is ended and fails', async () => {
    const started = supervisor.start();
    const failed = expect(started).rejects.toThrow('the test process ended with SIGKILL');
    await moved(BEGIN_MS + 2_000);
    await failed;
    expect(newest().killed).toBe(true);
    expect(messages()).toEqual(['the test process hangs and is ended: it has not answered for 5 s']);
    await moved(2 * LONGEST_MS);
    expect(children).toHaveLength(1);
  });

  test('may take any time where there is no limit, while the process answers', async () => {
    beginMs = null;
    const started = supervisor.start();
    await moved(10 * SILENT_MS);
    newest().begin();
    await started;
    expect(supervisor.ready).toBe(true);
  });

  test('of a process that answers nothing is ended where there is no other limit', async () => {
    beginMs = null;
    const started = supervisor.start();
    newest().answer = () => new Promise(() => {});
    const failed = expect(started).rejects.toThrow('SIGKILL');
    await moved(SILENT_MS + 2_000);
    await failed;
  });

  test('that the process refuses ends it and fails with its error', async () => {
    const started = supervisor.start();
    newest().refuse(new Error('no store'));
    await expect(started).rejects.toThrow('no store');
    expect([newest().killed, supervisor.child]).toEqual([true, null]);
    await moved(2 * LONGEST_MS);
    expect(children).toHaveLength(1);
  });

  test('of a process that dies meanwhile fails', async () => {
    const started = supervisor.start();
    newest().end('code 1');
    await expect(started).rejects.toThrow('the test process ended with code 1');
    expect(ends).toEqual(['the test process ended with code 1']);
  });

  test('fails where there can be no process', async () => {
    canSpawn = false;
    await expect(supervisor.start()).rejects.toThrow('no room');
  });
});

test.each([
  ['is silent', () => new Promise<never>(() => {}), 'it has not answered for 10 s'],
  ['says that it hangs', () => Promise.resolve('the disk is stuck'), 'the disk is stuck'],
])('a process that %s is ended, and another one started', async (_, answer, reason) => {
  const first = await startedOne();
  first.answer = answer;
  while (!first.killed) await moved(LIMITS.processLookMs);
  expect(timers.nowMs()).toBeLessThanOrEqual(SILENT_MS + 2 * LIMITS.processLookMs);
  await moved(200);
  expect(messages()).toContain(`the test process hangs and is ended: ${reason}`);
  expect(supervisor.child).toBe(children[1]);
});

test('while none runs it is told why, since when and until when', async () => {
  const first = await startedOne();
  await moved(3_000);
  first.end('code 7');
  await moved(1);
  expect([supervisor.child, supervisor.ready]).toEqual([null, false]);
  const reason = 'the test process ended with code 7';
  expect(supervisor.down).toEqual({ reason, sinceMs: START_MS + 3_000, retryInMs: 99 });
  canSpawn = false;
  await moved(200);
  expect(supervisor.down.reason).toBe('no room');
  expect(messages()).toContain('the test process does not start: no room');
});

test('starts after the first one are counted, those that failed, too', async () => {
  const first = await startedOne();
  expect(supervisor.restarted).toBe(0);
  canSpawn = false;
  first.end('code 7');
  await moved(1);
  expect(supervisor.restarted).toBe(0);
  await moved(150);
  expect([supervisor.restarted, children.length]).toEqual([1, 1]);
  canSpawn = true;
  await moved(200);
  expect([supervisor.restarted, children.length]).toEqual([2, 2]);
});

test('an end that cannot be dealt with is told, and another process is started all the same', async () => {
  const first = await startedOne();
  endFault = new Error('the files are closed');
  first.end('code 7');
  await moved(200);
  expect(messages()).toContain('the end of the test process was not dealt with: the files are closed');
  expect(supervisor.child).toBe(children[1]);
});

describe('waits between starts', () => {
  /** Ends the newest and counts the milliseconds until there is another one. */
  async function waitMs(): Promise<number> {
    const before = children.length;
    newest().end('code 1');
    await new Promise((resolve) => setImmediate(resolve));
    const fromMs = timers.nowMs();
    while (children.length === before) await moved(50);
    return timers.nowMs() - fromMs;
  }

  test('grow while processes die, whether they were ready or not, up to a longest one', async () => {
    await startedOne();
    const waits: number[] = [];
    for (let n = 0; n < 10; n++) {
      waits.push(await waitMs());
      if (n % 2 === 0) newest().begin();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, LONGEST_MS, LONGEST_MS]);
  });

  test('start over when a process has stayed up, and not sooner', async () => {
    await startedOne();
    expect(await waitMs()).toBe(100);
    newest().begin();
    await moved(LONGEST_MS - 1_000);
    expect(await waitMs()).toBe(200);
    newest().begin();
    await moved(LONGEST_MS + 1_000);
    expect(await waitMs()).toBe(100);
  });
});

test('the wait is the shortest again after an end that was of use, and the kind is told which process was ready', async () => {
  progresses = true;
  await startedOne();
  for (let n = 0; n < 5; n++) {
    newest().end('code 1');
    await moved(100);
    expect(children).toHaveLength(n + 2);
    newest().begin();
  }
  expect(readyEnds).toEqual([true, true, true, true, true]);
  newest().end('code 1');
  await moved(100);
  newest().end('code 1');
  await moved(1);
  expect(readyEnds.at(-1)).toBe(false);
});

describe('closing', () => {
  /** What closing does when the process goes as it is asked to. */
  const goes = async (child: FakeChild): Promise<void> => child.end('code 0');
  const stays = async (): Promise<void> => {};

  /** Nothing is started any more, however long one waits. */
  async function expectNoMore(count: number): Promise<void> {
    await moved(4 * LONGEST_MS);
    expect([children.length, supervisor.child]).toEqual([count, null]);
    expect(timers.waiting).toBe(0);
  }

  test('lets a process end itself that does so when it is asked', async () => {
    const child = await startedOne();
    await supervisor.close(2_000, goes);
    expect(ends).toEqual(['the test process ended with code 0']);
    expect(messages()).toEqual(['the test process runs']);
    expect(child.pid).toBe(1);
    await expectNoMore(1);
  });

  test.each([
    ['does not go', stays],
    ['answers nothing', () => new Promise<never>(() => {})],
  ])('ends a process by force that %s', async (_, finish) => {
    const child = await startedOne();
    const closed = supervisor.close(2_000, finish);
    await moved(1_999);
    expect(child.killed).toBe(false);
    await moved(1);
    await closed;
    expect(child.killed).toBe(true);
    await expectNoMore(1);
  });

  test('tells when it cannot ask, and ends the process by force', async () => {
    const child = await startedOne();
    const closed = supervisor.close(2_000, () => Promise.reject(new Error('gone')));
    await moved(2_000);
    await closed;
    expect(child.killed).toBe(true);
    expect(messages()).toContain('the test process did not end as it should: gone');
    await expectNoMore(1);
  });

  test.each([
    ['goes', goes],
    ['stays', stays],
  ])('while it starts ends a process that %s, and the start fails', async (_, finish) => {
    const started = supervisor.start();
    const failed = expect(started).rejects.toThrow('the test process ended with');
    const closed = supervisor.close(1_000, finish);
    await moved(1_000);
    await Promise.all([closed, failed]);
    await expectNoMore(1);
  });

  test('a silent process does not wait until its silence is noticed', async () => {
    const child = await startedOne();
    child.answer = () => new Promise(() => {});
    await moved(2_000);
    const closed = supervisor.close(1_000, stays);
    await moved(1_000);
    await closed;
    await expectNoMore(1);
  });

  test('between two starts means that there is none any more', async () => {
    (await startedOne()).end('code 1');
    await moved(1);
    await supervisor.close(1_000, goes);
    await expectNoMore(1);
  });

  test('while another one starts ends that one without a word of failure', async () => {
    (await startedOne()).end('code 1');
    await moved(200);
    expect(children).toHaveLength(2);
    await supervisor.close(1_000, goes);
    expect(messages()).not.toContainEqual(expect.stringContaining('does not start'));
    await expectNoMore(2);
  });

  test('waits until the end of the process is dealt with', async () => {
    await startedOne();
    supervisor.stop();
    newest().end('code 0');
    await supervisor.close(1_000, goes);
    expect(ends).toHaveLength(1);
    await expectNoMore(1);
  });
});
