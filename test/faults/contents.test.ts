import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkJournal, salvageFrames } from '../../src/journal/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { until } from '../fixtures/until.ts';
import { longCycles, seeded } from './harness/asked.ts';
import { sabotage } from './harness/sabotages.mjs';
import type { Ledger } from './harness/gateway.ts';
import { imbalance, record } from './harness/verdict.ts';

const random = seeded('contents');
const CYCLES = longCycles ?? 3;
const MAX_LIFE_MS = 300;
const CLIENTS = 4;
const HARNESS = join(process.cwd(), 'test', 'faults', 'harness');

interface Request {
  device: string;
  frames: Buffer[];
  readings: number;
  answered: boolean;
}

interface Answer {
  accepted: number;
  duplicates: number;
  rejected: unknown[];
  ledger: Ledger;
}

let folder: ReturnType<typeof temporaryFolder>;
let child: ChildProcess | null = null;
/** Requests without an answer, in the order in which they were sent. */
let waiting: Request[] = [];
let requests: Request[] = [];
let repeatedReadings = 0;
/** Ledgers that were read, and those of them that told duplicates. */
let ledgers = 0;
let withDuplicates = 0;
const broken: string[] = [];

beforeEach(() => {
  folder = temporaryFolder();
  writeFileSync(join(folder.path, 'control.json'), '{"clockMs":0,"kill":null}');
});
afterEach(async () => {
  await kill();
  folder.remove();
});

function start(): void {
  const hook = pathToFileURL(join(HARNESS, 'patch.mjs')).href;
  const started = spawn(
    process.execPath,
    ['--import', hook, join(HARNESS, 'intake-child.mjs'), folder.path],
    {
      env: {
        ...process.env,
        FAULT_PROGRAM: join(process.cwd(), 'dist', 'src'),
        FAULT_PATCHES: JSON.stringify(sabotage()),
        FAULT_CONTROL: join(folder.path, 'control.json'),
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  child = started;
  // What was written when it is killed may break the pipe.
  started.stdin.on('error', () => {});
  createInterface({ input: started.stdout }).on('line', (line) => {
    if (child === started) answered(JSON.parse(line) as Answer);
  });
}

async function kill(): Promise<void> {
  const running = child;
  child = null;
  if (running === null) return;
  const ended = once(running, 'exit');
  running.kill('SIGKILL');
  await ended;
}

function answered({ accepted, duplicates, rejected, ledger }: Answer): void {
  const off = imbalance(ledger);
  if (off !== null) broken.push(off);
  const sentReadings = requests.reduce((sum, { readings }) => sum + readings, 0);
  if (ledger.pending > sentReadings) broken.push(`pending ${ledger.pending}, sent ${sentReadings}`);
  ledgers++;
  if (ledger.duplicates > 0) withDuplicates++;
  const request = waiting.shift();
  if (request === undefined) throw new Error('an answer that nobody waits for');
  if (accepted + duplicates !== request.frames.length || rejected.length > 0)
    broken.push(`answered ${JSON.stringify({ accepted, duplicates, rejected })}`);
  // One that was answered before is known whole.
  if (request.answered && accepted > 0) broken.push(`${accepted} frames were taken a second time`);
  request.answered = true;
}

function send(request: Request): void {
  waiting.push(request);
  const frames = request.frames.map((frame) => frame.toString('base64'));
  child?.stdin?.write(`${JSON.stringify({ device: request.device, frames })}\n`);
}

function fresh(): Request {
  const client = random.below(CLIENTS);
  const frames = Array.from({ length: 1 + random.below(3) }, (_, i) => {
    const time = 1_700_000_000_000 + requests.length * 100 + i * 10;
    return environmentFrame([{ time, temperature: client }, { time: time + 1 }]);
  });
  const request = { device: `client-${client}`, frames, readings: 2 * frames.length, answered: false };
  requests.push(request);
  return request;
}

test(`requests that are sent again because no answer came are counted once, in ${CYCLES} kills`, async () => {
  start();
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const before = requests.filter((request) => request.answered).length;
    const sending = setInterval(() => {
      if (waiting.length < 50) send(fresh());
      // An answer that was lost on its way: its request comes again.
      const again = requests[random.below(requests.length)];
      if (random.chance(0.3) && again?.answered === true) {
        repeatedReadings += again.readings;
        send(again);
      }
    }, 1);
    await until('answers', () => requests.filter((request) => request.answered).length > before + 10, 30_000);
    await sleep(random.between(0, MAX_LIFE_MS));
    clearInterval(sending);
    await kill();
    const unanswered = waiting;
    waiting = [];
    start();
    for (const request of unanswered) send(request);
    await until('all answers', () => waiting.length === 0, 30_000);
  }
  await kill();
  judge();
});

function judge(): void {
  const dir = join(folder.path, 'journal');
  const report = checkJournal(dir);
  const sent = new Set(
    requests.flatMap(({ device, frames }) => frames.map((bytes) => `${device} ${hex(bytes)}`)),
  );
  const found = new Set<string>();
  let twice = 0;
  for (const { device, bytes } of salvageFrames(dir)) {
    const name = `${device} ${hex(bytes)}`;
    if (found.has(name)) twice += 2;
    else if (sent.has(name)) found.add(name);
    else broken.push(`nobody sent ${name}`);
  }
  const lost = 2 * (sent.size - found.size);
  const { ledger } = report;
  const distinct = 2 * sent.size;
  if (!report.sound) broken.push(`the journal: ${report.problems.join('; ')}`);
  if (lost > 0) broken.push(`${lost} acknowledged readings are not in the journal`);
  if (twice > 0) broken.push(`${twice} readings are in the journal twice`);
  if (ledger?.pending !== distinct) broken.push(`pending in the ledger ${ledger?.pending}, sent ${distinct}`);
  if ((ledger?.duplicates ?? 0) < repeatedReadings)
    broken.push(`duplicates in the ledger ${ledger?.duplicates}, sent again ${repeatedReadings}`);
  if (ledger?.received !== distinct + (ledger?.duplicates ?? 0))
    broken.push(`received in the ledger ${ledger?.received} with ${ledger?.duplicates} duplicates`);
  const fault = 'kill -9, requests sent again';
  record({
    kind: 'contents',
    fault,
    run: randomUUID(),
    acked: distinct,
    found: 2 * found.size,
    lost,
    twice,
    broken,
  });
  expect(repeatedReadings).toBeGreaterThan(0);
  expect(ledgers).toBeGreaterThan(100);
  expect(withDuplicates).toBeGreaterThan(0);
  expect(broken).toEqual([]);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
