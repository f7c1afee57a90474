import { duplexPair } from 'node:stream';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { IngestCalls, IngestHostCalls } from '../../../src/app/ingest-process/calls.ts';
import { KIND, ProcessLink } from '../../../src/app/ingest-process/link.ts';
import { ServedIngest } from '../../../src/app/ingest-process/served-ingest.ts';
import { Upstream } from '../../../src/app/ingest-process/upstream.ts';
import { connect } from '../../../src/app/process-calls.ts';
import { systemClock } from '../../../src/core/index.ts';
import { DeviceDirectory, DeviceLog, IngestAdmission, Intake } from '../../../src/ingest/index.ts';
import type { Journal } from '../../../src/journal/index.ts';
import { openJournalOn } from '../../../src/journal/local/open.ts';
import { openStorage } from '../../../src/journal/local/lmdb/lmdb-storage.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../../src/registry/index.ts';
import { environmentFrame } from '../../fixtures/environment-frames.ts';
import { temporaryFolder } from '../../fixtures/folder.ts';
import { recordedLog } from '../../fixtures/recorded-log.ts';
import { until } from '../../fixtures/until.ts';
import { FaultyStorage } from '../../journal/faulty-storage.ts';

let folder: ReturnType<typeof temporaryFolder>;
let registry: Registry;
let storage: FaultyStorage;
let journal: Journal;
let served: ServedIngest;
let upstream: Upstream;
let intake: Intake;
/** Those that the server knows. */
const requests = new Set<number>();
/** Frames that the server counted. */
let counted: (string | null)[];

beforeEach(async () => {
  counted = [];
  requests.clear();
  folder = temporaryFolder();
  registry = await openRegistry({ dir: `${folder.path}/registry`, minTimeMs: 0 });
  await loadSchemaFolder(registry, 'schemas');
  storage = new FaultyStorage(openStorage(`${folder.path}/journal`, 1e9, Date.now()));
  journal = await openJournalOn(storage, { blockBytes: 4_000, recoveryMinMs: 5, recoveryMaxMs: 20 });
  openLink();
  intake = new Intake({
    journal: upstream,
    registry,
    clock: systemClock,
    admission: new IngestAdmission({ journal: upstream, clock: systemClock, guard: { earliestMs: 0 } }),
    limits: { maxFrameBytes: 4_096 },
    log: new DeviceLog(recordedLog().logger),
    onFrame: () => {},
    onError: () => {},
  });
});
afterEach(async () => {
  await journal.close();
  await registry.close();
  folder.remove();
});

/** The two ends of a link, as the server and an ingest process have them, in one process. */
function openLink(): void {
  const [serverEnd, ingestEnd] = duplexPair();
  const toIngest = new ProcessLink(serverEnd);
  const toServer = new ProcessLink(ingestEnd);
  served = new ServedIngest(
    {
      journal,
      directory: new DeviceDirectory(journal, 10),
      onFrame: (refused) => counted.push(refused),
      onAck: () => {},
      onError: () => {},
    },
    {
      replaced: (number) => void calls.replaced.asEvent(number),
      failed: (number) => void calls.failed.asEvent(number),
      durable: (payload) => toIngest.send(KIND.durable, payload),
      duplicates: (payload) => toIngest.send(KIND.duplicates, payload),
    },
  );
  const calls = connect<IngestCalls, IngestHostCalls>(toIngest, {
    claim: (number, transport, who) => served.claim(number, transport, who),
    request: (number, transport, device) => {
      requests.add(number);
      served.request(number, transport, device);
    },
    release: (number) => {
      requests.delete(number);
      served.release(number);
    },
    reject: (number, seq, letter) => served.reject(number, seq, letter),
    flush: () => served.flush(),
    acknowledged: (waits) => served.acknowledged(waits),
  });
  toIngest.open({ frames: (payload) => served.frames(payload), durable: () => {}, duplicates: () => {} });
  const told: Pick<IngestCalls, 'replaced' | 'failed'> = {
    replaced: (number) => upstream.replaced(number),
    failed: (number) => upstream.failed(number),
  };
  const server = connect<IngestHostCalls, IngestCalls>(toServer, told as IngestCalls);
  upstream = new Upstream(toServer, server, journal.epoch, {
    state: 'open',
    accepting: true,
    room: true,
  });
  toServer.open({
    frames: () => {},
    durable: (payload) => upstream.durable(payload),
    duplicates: (payload) => upstream.duplicates(payload),
  });
  journal.onStateChange((state, accepting) => upstream.update({ state, accepting, room: true }));
}

const frame = (time: number): Uint8Array => environmentFrame([{ time }, { time: time + 1 }]);

test('frames without numbers are accepted, known or refused through another process as in the one with the journal', async () => {
  const bad = frame(3_000).subarray(0, 20);
  expect(await intake.take('a', 'http', [frame(1_000), bad, frame(2_000), frame(1_000)])).toMatchObject({
    accepted: 2,
    duplicates: 1,
    rejected: [{ index: 1, code: 'frame_block' }],
  });
  expect(await intake.take('a', 'mqtt', [frame(2_000)])).toEqual({
    accepted: 0,
    duplicates: 1,
    rejected: [],
  });
  expect(await intake.take('b', 'mqtt', [frame(2_000)])).toMatchObject({ accepted: 1, duplicates: 0 });
  const { byTransport } = journal.ledger();
  expect(byTransport.http).toMatchObject({ received: 7, duplicates: 2, rejected: 1, pending: 4 });
  expect(byTransport.mqtt).toMatchObject({ received: 4, duplicates: 2, pending: 2 });
  expect(byTransport.ws).toMatchObject({ received: 0 });
  expect(counted).toEqual([null, 'frame_block', null, null, null, null]);
  expect(journal.deadLetters(9)).toMatchObject([
    { device: 'a', transport: 'http', code: 'frame_block', seq: null },
  ]);
});

test('a request over several batches and commits is answered with the last, and then nobody knows it any more', async () => {
  const frames = Array.from({ length: 3_000 }, (_, n) => frame(1_000 + 10 * n));
  expect(await intake.take('a', 'http', [...frames, ...frames])).toEqual({
    accepted: 3_000,
    duplicates: 3_000,
    rejected: [],
  });
  expect(journal.head()).toBe(3_000);
  expect(storage.commits.length).toBeGreaterThan(1);
  await until('the server to forget it', () => requests.size === 0);
  expect(served.connections).toBe(0);
});

test('of a journal that fails the request hears, and sent again nothing is missing or taken twice', async () => {
  const frames = [frame(1_000), frame(2_000)];
  storage.failWith(new Error('No space left on device'));
  await expect(intake.take('a', 'http', frames)).rejects.toMatchObject({ code: 'journal_failed' });
  storage.failWith(null);
  await until('the journal takes frames', () => upstream.accepting());
  expect(await intake.take('a', 'http', frames)).toMatchObject({ accepted: 2, duplicates: 0 });
  expect(journal.ledger()).toMatchObject({ received: 4, pending: 4 });
  await until('the server to forget both', () => requests.size === 0);
});

test('while the journal is full a way in is refused or its answer withheld, as it chooses, until there is room', async () => {
  const full = { state: 'full', accepting: false, room: true } as const;
  upstream.update(full);
  await expect(intake.take('a', 'http', [frame(1_000)])).rejects.toMatchObject({ code: 'journal_full' });
  let answered = false;
  const withheld = intake.take('a', 'mqtt', [frame(1_000)], 'withhold').then((answer) => {
    answered = true;
    return answer;
  });
  await until('the frame to be on disk', () => journal.head() === 1);
  await until('the process to know it', () => requests.size === 0);
  expect(answered).toBe(false);
  upstream.update({ ...full, state: 'open', accepting: true });
  expect(await withheld).toMatchObject({ accepted: 1 });
  upstream.update(full);
  const left = intake.take('a', 'mqtt', [frame(2_000)], 'withhold');
  await until('the frame to be on disk', () => journal.head() === 2);
  await until('the process to know it', () => requests.size === 0);
  await Promise.all([expect(left).rejects.toMatchObject({ code: 'draining' }), intake.drain()]);
});
