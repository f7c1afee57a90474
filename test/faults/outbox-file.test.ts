import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { describeWith } from '../fixtures/program.ts';
import { hasPython, PYTHON } from '../fixtures/python.ts';
import { until } from '../fixtures/until.ts';
import { longCycles, PATIENCE_MS, seeded } from './harness/asked.ts';
import type { Gateway } from './harness/gateway.ts';
import { withScene } from './harness/scene.ts';
import { breakPromise, record } from './harness/verdict.ts';

const random = seeded('outbox-file');
const CYCLES = longCycles ?? 3;
/** A unit lives so long at most between a first ack and a kill, in milliseconds. */
const MAX_LIFE_MS = 400;
const DEVICE = 'the-place';
/** Readings of a unit lie 10 ms apart; units of one name begin a millisecond apart, so that all times differ. */
const START_MS = Date.now() - 3_600_000;

interface Saved {
  base: number;
  kept: string[];
  made: number;
}

/** The device in Python, which is killed and started again with its outbox file. */
class Unit {
  readonly startMs: number;
  readonly #file: string;
  readonly #gateway: Gateway;
  readonly #more: string[];
  #child: ChildProcess | null = null;
  #log = '';

  constructor(gateway: Gateway, file: string, startMs: number, ...more: string[]) {
    this.startMs = startMs;
    this.#gateway = gateway;
    this.#file = file;
    this.#more = more;
  }

  saved(): Saved | null {
    return existsSync(this.#file) ? (JSON.parse(readFileSync(this.#file, 'utf8')) as Saved) : null;
  }

  /** What it reported, a line each. */
  reports(): string[] {
    const file = `${this.#file}.reports`;
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  }

  acked(): number {
    const saved = this.saved();
    return saved === null ? 0 : saved.made - saved.kept.length;
  }

  start(): void {
    const script = join(process.cwd(), 'test', 'interop', 'outbox.py');
    const schema = join(process.cwd(), 'schemas', 'environment.avsc');
    const args = [script, this.#gateway.wsUrl, schema, DEVICE, this.#file, `${this.startMs}`, ...this.#more];
    const child = spawn('python3', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    this.#child = child;
  }

  /** Waits until so many more frames are acknowledged than now. */
  async progress(frames: number): Promise<void> {
    const goal = this.acked() + frames;
    await until(`${frames} acks\n${this.#log}`, () => this.acked() >= goal, PATIENCE_MS);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** Measures nothing more, and ends when all is acknowledged. */
  async finish(): Promise<void> {
    this.start();
    await this.progress(1);
    await this.end('SIGTERM');
    expect(this.saved()?.kept).toEqual([]);
  }
}

/** Compares the store and the ledger with what the units measured, writes it down for the table, and throws what is broken. */
async function compare(fault: string, gateway: Gateway, units: readonly Unit[]): Promise<void> {
  const broken = units.flatMap((unit) => unit.reports().map((report) => `a unit reports: ${report}`));
  await until('nothing pending', async () => (await gateway.ledger()).pending === 0, PATIENCE_MS);
  const measured = units.flatMap((unit) => {
    const { made } = unit.saved() ?? { made: 0 };
    return Array.from({ length: made }, (_, n) => `${new Date(unit.startMs + n * 10).toISOString()} ${n}`);
  });
  const { rows } = await gateway.json<{ rows: [string, number][] }>(
    '/v1/query?measurement=environment&field=temperature&from=-1d&limit=1000000',
  );
  const found = new Set(rows.map((row) => `${new Date(row[0]).toISOString()} ${row.at(-1)}`));
  const lost = measured.filter((reading) => !found.has(reading)).length;
  const { stored } = await gateway.ledger();
  const twice = Math.max(0, stored - (measured.length - lost));
  if (lost > 0) broken.push(`${lost} acknowledged readings are not in the store`);
  if (twice > 0) broken.push(`${twice} readings were stored twice`);
  if (found.size !== measured.length - lost)
    broken.push(`there are ${found.size - measured.length + lost} rows too many`);
  record({
    kind: 'outbox-file',
    fault,
    run: fault,
    acked: measured.length,
    found: found.size,
    lost,
    twice,
    broken,
  });
  if (broken.length > 0) throw new Error(`${fault}:\n  ${broken.join('\n  ')}`);
}

describeWith(hasPython(), PYTHON, 'a device in Python with its outbox in a file', () => {
  const timeoutMs = 120_000 + CYCLES * 20_000;

  test(
    `loses and repeats nothing in ${CYCLES} kills of it, of the gateway, or of both`,
    () =>
      withScene({ random, devices: 0 }, async ({ gateway, dataDir }) => {
        const unit = new Unit(gateway, join(dataDir, 'unit.json'), START_MS);
        try {
          for (let cycle = 0; cycle < CYCLES; cycle++) {
            unit.start();
            await unit.progress(1);
            await sleep(random.between(0, MAX_LIFE_MS));
            const gatewayFirst = random.chance(0.3);
            if (gatewayFirst) await gateway.kill();
            if (gatewayFirst) await sleep(random.between(0, 100));
            await unit.end('SIGKILL');
            if (!gatewayFirst && random.chance(0.5)) await gateway.kill();
            if (!gateway.alive) await gateway.start();
          }
          await unit.finish();
          await compare('kill -9 of device and gateway', gateway, [unit]);
        } finally {
          await unit.end('SIGKILL');
        }
      }),
    timeoutMs,
  );

  describe('two units under one name, of which one runs while the other is cut off,', () => {
    test(
      `lose and repeat nothing in ${CYCLES} turns where each names its outbox`,
      () =>
        withScene({ random, devices: 0 }, async ({ gateway, dataDir }) => {
          const units = [1, 2].map((n) => new Unit(gateway, join(dataDir, `unit-${n}.json`), START_MS + n));
          try {
            for (let turn = 0; turn < CYCLES; turn++) {
              for (const unit of units) {
                unit.start();
                await unit.progress(1);
                await sleep(random.between(0, MAX_LIFE_MS));
                await unit.end('SIGKILL');
              }
              if (random.chance(0.5)) await gateway.kill();
              if (!gateway.alive) await gateway.start();
            }
            for (const unit of units) await unit.finish();
            await compare('two units, each with its outbox', gateway, units);
          } finally {
            for (const unit of units) await unit.end('SIGKILL');
          }
        }),
      timeoutMs,
    );

    test('report it where they name none', () =>
      withScene({ random, devices: 0 }, async ({ gateway, dataDir }) => {
        const [one, two] = [1, 2].map(
          (n) => new Unit(gateway, join(dataDir, `nameless-${n}.json`), START_MS + n, '--nameless'),
        );
        if (one === undefined || two === undefined) throw new Error('no units');
        try {
          one.start();
          await one.progress(10);
          await one.end('SIGKILL');
          const kept = one.saved()?.kept ?? [];
          two.start();
          // More than the first one can take for its own.
          await two.progress(kept.length + 10);
          await two.end('SIGKILL');
          one.start();
          const [report] = await until('a report', () => one.reports().length > 0 && one.reports());
          if (!/^welcomed at \d+, expected \d+ to \d+$/.test(report ?? ''))
            breakPromise('report', `${report}`);
        } finally {
          for (const unit of [one, two]) await unit.end('SIGKILL');
        }
      }));
  });
});
