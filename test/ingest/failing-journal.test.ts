import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../../src/core/index.ts';
import { DeviceDirectory, DeviceLog, IngestAdmission, Intake } from '../../src/ingest/index.ts';
import type { Journal } from '../../src/journal/index.ts';
import { openJournalOn } from '../../src/journal/local/open.ts';
import { openStorage } from '../../src/journal/local/lmdb/lmdb-storage.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../src/registry/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { recordedLog } from '../fixtures/recorded-log.ts';
import { until } from '../fixtures/until.ts';
import { FaultyStorage } from '../journal/faulty-storage.ts';
import { connect, openHub } from './wire.ts';

let folder: ReturnType<typeof temporaryFolder>;
let registry: Registry;
let storage: FaultyStorage;
let journal: Journal;

beforeEach(async () => {
  folder = temporaryFolder();
  registry = await openRegistry({ dir: `${folder.path}/registry` });
  await loadSchemaFolder(registry, 'schemas');
  storage = new FaultyStorage(openStorage(`${folder.path}/journal`, 1e9, Date.now()));
  journal = await openJournalOn(storage, { blockBytes: 4_000, recoveryMinMs: 5, recoveryMaxMs: 20 });
});
afterEach(async () => {
  await journal.close();
  await registry.close();
  folder.remove();
});

const frame = (): Buffer => environmentFrame([{ time: Date.now() }]);
const openIntake = (): Intake =>
  new Intake({
    journal,
    registry,
    clock: systemClock,
    admission: new IngestAdmission({ journal, clock: systemClock, guard: { earliestMs: 0 } }),
    limits: { maxFrameBytes: 4_096 },
    log: new DeviceLog(recordedLog().logger),
    onFrame: () => {},
    onError: () => {},
  });
const recovered = () => until('the journal takes frames', () => journal.accepting());

test('while the disk refuses, devices are sent away without an ack, and counted on from what is on disk after it', async () => {
  const hub = openHub(journal, registry);
  const { wire, handler } = await connect(hub, 'a');
  const idle = await connect(hub, 'idle');
  handler.message(frame(), true);
  await until('the first ack', () => wire.acks().includes(1));

  storage.failWith(new Error('No space left on device'));
  handler.message(frame(), true);
  handler.message(frame(), true);
  await until('the close', () => wire.endedWith !== null);
  expect(wire.endedWith).toBe(4013);
  handler.closed(4013);
  await expect(connect(hub, 'a')).rejects.toMatchObject({ code: 'journal_failed' });

  storage.failWith(null);
  await recovered();
  expect(wire.acks()).toEqual([1]);
  const again = await connect(hub, 'a');
  expect(again.wire.sent[0]).toMatchObject({ type: 'welcome', seq: 1, epoch: journal.epoch });
  again.handler.message(frame(), true);
  again.handler.message(frame(), true);
  await until('the acks', () => again.wire.acks().includes(3));
  // One that had nothing in flight did not have to go.
  idle.handler.message(frame(), true);
  await until('its ack', () => idle.wire.acks().includes(1));
  expect(journal.ledger()).toMatchObject({ received: 4, pending: 4 });
});

test('a commit that reached the disk and was reported as failed is not counted twice when it is sent again', async () => {
  const hub = openHub(journal, registry);
  const { wire, handler } = await connect(hub, 'a');
  storage.failWith(new Error('the sync failed'), true);
  handler.message(frame(), true);
  await until('the close', () => wire.endedWith === 4013);
  handler.closed(4013);
  storage.failWith(null);
  await recovered();
  const again = await connect(hub, 'a');
  // The device drops what the welcome covers, and sends the rest.
  expect(again.wire.sent[0]).toMatchObject({ type: 'welcome', seq: 1 });
  expect(journal.ledger()).toMatchObject({ received: 1, pending: 1 });
});

test('a device that was let in just before the journal failed is told no numbers, which recovering may change', async () => {
  const { wire, handler } = await connect(openHub(journal, registry), 'a');
  storage.failReopenWith(new Error('not yet'));
  storage.failWith(new Error('the sync failed'), true);
  handler.message(frame(), true);
  await until('the close', () => wire.endedWith === 4013);

  const directory = new DeviceDirectory(journal, 10);
  const outboxes = [null, 'outbox-of-unit-1'];
  for (const outboxId of outboxes) {
    const claimed = directory.claim({ device: 'a', outboxId, replaced: () => {} });
    await expect(claimed).rejects.toMatchObject({ code: 'journal_failed' });
  }
  storage.failWith(null);
  storage.failReopenWith(null);
  await recovered();
  const again = await directory.claim({ device: 'a', outboxId: null, replaced: () => {} });
  expect(again).toEqual({ seq: 1, outbox: null });
});

test('a request that takes several commits is answered for when the last of them is on disk, and not before', async () => {
  const intake = openIntake();
  const now = Date.now();
  const frames = Array.from({ length: 400 }, (_, n) => environmentFrame([{ time: now - n }]));
  const { commit } = storage;
  storage.commit = async (change) => {
    if (storage.commits.length > 0) throw new Error('No space left on device');
    await commit.call(storage, change);
  };
  await expect(intake.take('a', 'http', frames)).rejects.toMatchObject({ code: 'journal_failed' });
  const { received } = journal.ledger();
  expect(received).toBeGreaterThan(0);
  expect(received).toBeLessThan(400);
  storage.commit = commit;
  await recovered();
  expect(await intake.take('a', 'http', frames)).toMatchObject({
    accepted: 400 - received,
    duplicates: received,
  });
});

test('frames that number nothing are not answered for, and are no duplicates when they come again', async () => {
  const intake = openIntake();
  const bytes = frame();
  storage.failWith(new Error('No space left on device'));
  await expect(intake.take('a', 'http', [bytes])).rejects.toMatchObject({ code: 'journal_failed' });
  await expect(intake.take('a', 'http', [bytes])).rejects.toMatchObject({ code: 'journal_failed' });
  storage.failWith(null);
  await recovered();
  expect(await intake.take('a', 'http', [bytes])).toEqual({ accepted: 1, duplicates: 0, rejected: [] });
  expect(journal.ledger()).toMatchObject({ received: 1, duplicates: 0, pending: 1 });
});
