import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { LIMITS, NO_READINGS, systemClock } from '../../src/core/index.ts';
import { IngestAdmission, DeviceLog, Intake, Replayer } from '../../src/ingest/index.ts';
import { openLocalJournal, type DeadLetterInput, type LocalJournal } from '../../src/journal/index.ts';
import { openRegistry, type Registry } from '../../src/registry/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { recordedLog } from '../fixtures/recorded-log.ts';
import { until } from '../fixtures/until.ts';

const ALL = { filter: {} };
let folder: ReturnType<typeof temporaryFolder>;
let registry: Registry;
let journal: LocalJournal;
let intake: Intake;
let replayer: Replayer;

beforeEach(async () => {
  folder = temporaryFolder();
  registry = await openRegistry({ dir: `${folder.path}/registry`, minTimeMs: 0 });
  journal = await openLocalJournal({ dir: `${folder.path}/journal` });
  const options = { journal, registry, clock: systemClock };
  intake = new Intake({
    ...options,
    admission: new IngestAdmission({ journal, clock: systemClock, guard: { earliestMs: 0 } }),
    limits: { maxFrameBytes: 4_096 },
    log: new DeviceLog(recordedLog().logger),
    onFrame: () => {},
    onError: () => {},
  });
  replayer = new Replayer(options);
});
afterEach(async () => {
  await journal.close();
  await registry.close();
  folder.remove();
});

const register = () => registry.register('environment', readFileSync('schemas/environment.avsc', 'utf8'));
const frame = (time: number): Uint8Array => environmentFrame([{ time }, { time: time + 1 }]);
const ids = (): string[] => journal.deadLetters(99).map(({ id }) => id);

/** Settles all frames as soon as they are there; `refuse` are positions that the store refuses. */
async function settle(head: number, refuse: readonly number[] = []): Promise<void> {
  await until('the frames', () => journal.head() === head);
  const stored = { ...NO_READINGS };
  const deadLetters: DeadLetterInput[] = [];
  const from = journal.settledPosition();
  for (let at = from; at < head; at++) {
    const [found] = journal.read(at)?.frames(at) ?? [];
    if (found === undefined) throw new Error(`no frame at ${at}`);
    const { device, transport, readings, bytes } = found;
    if (!refuse.includes(at)) {
      stored[transport] += readings;
      continue;
    }
    const refusal = { atMs: found.arrivalMs, code: 'store_refused', message: 'not this one' };
    deadLetters.push({
      device,
      transport,
      ...refusal,
      readings,
      seq: null,
      position: at,
      bytes: bytes.slice(),
    });
  }
  await journal.settle({ from, position: head, stored, expired: NO_READINGS, deadLetters });
}

test('frames of an unknown schema are kept, and taken once it is registered', async () => {
  await intake.take('a', 'http', [frame(1_000), frame(2_000)]);
  expect(await replayer.replay(ALL)).toMatchObject({ replayed: 0, refusedTotal: 2 });
  expect(journal.ledger()).toMatchObject({ received: 2, rejected: 2, pending: 0 });
  await register();
  const [answer] = await Promise.all([replayer.replay(ALL), settle(2)]);
  expect(answer).toEqual({ replayed: 2, pending: 0, refused: [], refusedTotal: 0 });
  expect(ids()).toEqual([]);
  // Two frames that could not be read were counted as one each; now their readings are known.
  expect(journal.ledger()).toMatchObject({ received: 4, rejected: 0, stored: 4, pending: 0 });
  expect(await replayer.replay(ALL)).toEqual({ replayed: 0, pending: 0, refused: [], refusedTotal: 0 });
});

test('only the ids that were named are tried, each once, in any number of requests at the same time', async () => {
  await intake.take('a', 'http', [frame(1_000), frame(2_000)]);
  const [newest, oldest] = ids();
  await register();
  const all = await Promise.all([
    replayer.replay({ ids: [oldest ?? '', oldest ?? ''] }),
    replayer.replay({ ids: [oldest ?? ''] }),
    settle(1),
  ]);
  expect(all[0]).toMatchObject({ replayed: 1, refusedTotal: 0 });
  expect(all[1]).toMatchObject({ replayed: 0, refused: [{ id: oldest, code: 'dead_letter_unknown' }] });
  expect(ids()).toEqual([newest]);
});

test('what the store refuses again is said, and stays what it was', async () => {
  await register();
  await Promise.all([intake.take('a', 'http', [frame(1_000)]), settle(1, [0])]);
  const [id] = ids();
  const before = journal.ledger();
  expect(before).toMatchObject({ received: 2, deadLettered: 2 });
  const [answer] = await Promise.all([replayer.replay(ALL), settle(2, [1])]);
  expect(answer).toEqual({
    replayed: 0,
    pending: 0,
    refused: [{ id, code: 'store_refused', message: 'not this one' }],
    refusedTotal: 1,
  });
  expect(ids()).toEqual([id]);
  expect(journal.ledger()).toEqual(before);
});

test('a record that came again by itself meanwhile is counted as a duplicate', async () => {
  await intake.take('a', 'http', [frame(1_000)]);
  await register();
  await intake.take('a', 'http', [frame(1_000)]);
  await settle(1);
  expect(await replayer.replay(ALL)).toMatchObject({ replayed: 1, refusedTotal: 0 });
  expect(journal.ledger()).toMatchObject({ received: 4, stored: 2, duplicates: 2, rejected: 0, pending: 0 });
});

test('of all letters those that match are tried, oldest first', async () => {
  await intake.take('a', 'http', [frame(1_000), frame(2_000)]);
  await intake.take('b', 'mqtt', [frame(3_000)]);
  await register();
  const [answer] = await Promise.all([
    replayer.replay({ filter: { device: 'a', code: 'schema_unknown', transport: 'http' } }),
    settle(2),
  ]);
  expect(answer).toMatchObject({ replayed: 2, refusedTotal: 0 });
  expect(journal.deadLetters(9).map(({ device }) => device)).toEqual(['b']);
  const replayed = [...(journal.read(0)?.frames() ?? [])];
  expect(replayed.map(({ bytes }) => Buffer.from(bytes))).toEqual([frame(1_000), frame(2_000)]);
  expect(await replayer.replay({ filter: { kind: 'deadLettered' } })).toMatchObject({ replayed: 0 });
});

test('what the store has no word on is told as pending, and a stop does not wait for it', async () => {
  await intake.take('a', 'http', [frame(1_000)]);
  await register();
  const waiting = replayer.replay(ALL);
  await until('the frame', () => journal.head() === 1);
  await replayer.stop();
  expect(await waiting).toEqual({ replayed: 1, pending: 1, refused: [], refusedTotal: 0 });
  expect(journal.ledger()).toMatchObject({ received: 2, rejected: 0, pending: 2 });
  await expect(replayer.replay(ALL)).rejects.toMatchObject({ code: 'draining' });
});

test('so many replays at once, and no more', async () => {
  await intake.take('a', 'http', [frame(1_000)]);
  await register();
  const many = Array.from({ length: LIMITS.maxReplays }, () => replayer.replay(ALL));
  await expect(replayer.replay(ALL)).rejects.toMatchObject({ code: 'too_many_replays' });
  await settle(1);
  const replayed = (await Promise.all(many)).map((answer) => answer.replayed);
  expect(replayed.reduce((sum, count) => sum + count, 0)).toBe(1);
  expect(await replayer.replay(ALL)).toMatchObject({ replayed: 0, refusedTotal: 0 });
});

test('letters of several commits go back without a hole', async () => {
  const count = LIMITS.maxReplayLetters + 20;
  const frames = Array.from({ length: count }, (_, i) => frame(10 * i));
  await intake.take('a', 'http', frames);
  await register();
  const [answer] = await Promise.all([replayer.replay(ALL), settle(count)]);
  expect(answer).toEqual({ replayed: count, pending: 0, refused: [], refusedTotal: 0 });
  expect(journal.ledger()).toMatchObject({ received: 2 * count, stored: 2 * count, rejected: 0 });
});

test('while the journal is full nothing goes back', async () => {
  await intake.take('a', 'http', [frame(1_000)]);
  await register();
  const full = new Proxy(journal, {
    get: (target, name) => {
      if (name === 'accepting') return () => false;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const refusing = new Replayer({ journal: full, registry, clock: systemClock });
  await expect(refusing.replay(ALL)).rejects.toMatchObject({ code: 'journal_full' });
  expect(ids()).toHaveLength(1);
});
