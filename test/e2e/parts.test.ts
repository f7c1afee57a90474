import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { openDataFolder } from '../../src/app/data-folder.ts';
import type * as App from '../../src/app/index.ts';
import { type Part, Parts } from '../../src/app/parts.ts';
import { loadConfig } from '../../src/config/index.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { freePort } from '../fixtures/free-port.ts';
import { until } from '../fixtures/until.ts';

/** The built one, since only that can start its other processes. */
const APP = pathToFileURL(join(process.cwd(), 'dist', 'src', 'app', 'index.js')).href;
const DEADLINE_MS = 6_000;
const PHASES = ['announce', 'drain', 'close'] as const;
const broken = new Error('broken on purpose');

let app: typeof App;
let folder: ReturnType<typeof temporaryFolder>;
let port: string;
let before: string;

beforeAll(async () => {
  app = (await import(APP)) as typeof App;
});
beforeEach(async () => {
  folder = temporaryFolder();
  port = await freePort();
  before = children();
});
afterEach(() => folder.remove());

/** The processes that this one has started and that have not ended. */
function children(): string {
  const threads = readdirSync('/proc/self/task');
  return threads.map((id) => readFileSync(`/proc/self/task/${id}/children`, 'utf8')).join('');
}

/** The server's own parts, some steps of which fail: a start instead of its work, any other step after it. */
class BreakingParts extends Parts {
  readonly done: string[] = [];
  readonly told: Record<string, unknown>[];
  readonly #breaks: (step: string) => boolean;
  readonly #fail: () => unknown;

  constructor(breaks: (step: string) => boolean, fail: () => unknown, told: Record<string, unknown>[] = []) {
    const write = (line: string): void => void told.push(JSON.parse(line) as Record<string, unknown>);
    super(pino({ level: 'warn' }, { write }), DEADLINE_MS);
    this.told = told;
    this.#breaks = breaks;
    this.#fail = fail;
  }

  get toldOf(): string[] {
    return this.told.map(({ phase, part }) => `${String(phase)} ${String(part)}`);
  }

  override start<T>(part: Part<T>): Promise<T> {
    const { name } = part;
    const breaking: Part<T> = {
      name,
      start: async () => {
        if (this.#breaks(`start ${name}`)) await this.#fail();
        const value = await part.start();
        this.done.push(`start ${name}`);
        return value;
      },
    };
    for (const phase of PHASES) {
      const step = part[phase];
      if (step === undefined) continue;
      breaking[phase] = async (value) => {
        await step(value);
        this.done.push(`${phase} ${name}`);
        if (this.#breaks(`${phase} ${name}`)) await this.#fail();
      };
    }
    return super.start(breaking);
  }
}

function fail(): never {
  throw broken;
}

function hang(): Promise<never> {
  return new Promise(() => {});
}

function start(parts: Parts): Promise<App.Server> {
  const flags = { 'data-dir': folder.path, port, processes: '2' };
  const settings = loadConfig({ flags, env: {} });
  const logger = pino({ level: 'silent' });
  return app.startServer({ settings, logger, version: '0', pageDir: folder.path }, parts);
}

/** Nobody holds the folder, answers at the port or runs as a process of the server any more. */
async function expectNothingLeft(): Promise<void> {
  openDataFolder(folder.path).release();
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow('fetch failed');
  await until('the other processes end', () => children() === before);
}

interface Life {
  starts: readonly string[];
  stop: readonly string[];
}
let life: Life | null = null;

/** What happens, in order, when nothing fails. */
async function wholeLife(): Promise<Life> {
  if (life !== null) return life;
  const parts = new BreakingParts(() => false, fail);
  const server = await start(parts);
  const starts = parts.done.splice(0);
  await server.stop();
  expect(parts.told).toEqual([]);
  await expectNothingLeft();
  return (life = { starts, stop: parts.done });
}

test('the server ends in three phases, each in the opposite order of the start', async () => {
  const { starts, stop } = await wholeLife();
  const order = starts.map((step) => step.replace('start ', '')).toReversed();
  expect(starts.length).toBeGreaterThan(5);
  expect(stop).toEqual(
    PHASES.flatMap((phase) => order.map((name) => `${phase} ${name}`).filter((step) => stop.includes(step))),
  );
  expect(stop.at(-1)).toBe('close data folder');
});

test('whichever part cannot start, those before it are closed and the error goes on', async () => {
  const { starts, stop } = await wholeLife();
  for (const [index, step] of starts.entries()) {
    const parts = new BreakingParts((each) => each === step, fail);
    await expect(start(parts)).rejects.toBe(broken);
    const opened = starts.slice(0, index);
    const closed = stop.filter((each) => opened.includes(each.replace('close ', 'start ')));
    expect(parts.done).toEqual([...opened, ...closed]);
    await expectNothingLeft();
  }
});

test('when every step of the stop throws, each has done its work all the same, and each error is told', async () => {
  const { starts, stop } = await wholeLife();
  const parts = new BreakingParts((each) => !each.startsWith('start'), fail);
  const server = await start(parts);
  await expect(server.stop()).rejects.toBe(broken);
  expect(parts.done).toEqual([...starts, ...stop]);
  expect(parts.toldOf).toEqual(stop);
  await expectNothingLeft();
});

test.each(['announce tails', 'drain devices', 'close journal'])(
  'when %s hangs, everything else ends within the deadline, and that is told',
  async (step) => {
    const { starts, stop } = await wholeLife();
    const parts = new BreakingParts((each) => each === step, hang);
    const server = await start(parts);
    await server.stop();
    expect(parts.done).toEqual([...starts, ...stop]);
    expect(parts.toldOf).toEqual([step]);
    await expectNothingLeft();
  },
);
