import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { encodeSingleObjectHeader, fingerprintOf } from '../../src/codec/index.ts';
import { LIMITS, systemClock } from '../../src/core/index.ts';
import { IngestAdmission, DeviceLog, Intake } from '../../src/ingest/index.ts';
import { openLocalJournal, type LocalJournal } from '../../src/journal/index.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../src/registry/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { recordedLog } from '../fixtures/recorded-log.ts';

let folder: ReturnType<typeof temporaryFolder>;
let registry: Registry;
let journal: LocalJournal;
let intake: Intake;
let frames: (string | null)[];

beforeEach(async () => {
  frames = [];
  folder = temporaryFolder();
  registry = await openRegistry({ dir: `${folder.path}/registry`, minTimeMs: 0 });
  await loadSchemaFolder(registry, 'schemas');
  await open();
});
afterEach(async () => {
  await journal.close();
  await registry.close();
  folder.remove();
});

async function open(): Promise<void> {
  journal = await openLocalJournal({ dir: `${folder.path}/journal` });
  intake = new Intake({
    journal,
    registry,
    clock: systemClock,
    admission: new IngestAdmission({ journal, clock: systemClock, guard: { earliestMs: 0 } }),
    limits: { maxFrameBytes: 4_096 },
    log: new DeviceLog(recordedLog().logger),
    onFrame: (refused) => frames.push(refused),
    onError: () => {},
  });
}

const frame = (time: number): Uint8Array => environmentFrame([{ time }, { time: time + 1 }]);
/** The same record under the schema's id instead of its fingerprint. */
function confluent(bytes: Uint8Array): Uint8Array {
  const { schema } = registry.resolve(bytes, 0, bytes.length);
  return Buffer.from([0, 0, 0, 0, schema.id, ...bytes.subarray(10)]);
}

test('frames are taken or refused one by one, and all are durable by the answer', async () => {
  const bad = frame(2_000).subarray(0, 20);
  const infinite = environmentFrame([{ time: 1 }, { time: 2, temperature: Infinity }]);
  const answer = await intake.take('a', 'http', [frame(1_000), bad, infinite]);
  expect(answer).toMatchObject({ accepted: 1, duplicates: 0 });
  expect(answer.rejected.map(({ index, code }) => [index, code])).toEqual([
    [1, 'frame_block'],
    [2, 'value_not_finite'],
  ]);
  expect(journal.head()).toBe(1);
  expect(frames).toEqual([null, 'frame_block', 'value_not_finite']);
  expect(journal.ledger().byTransport.http).toMatchObject({ received: 5, rejected: 3, pending: 2 });
  expect(journal.deadLetters(9).map(({ code, readings }) => [code, readings])).toEqual([
    ['value_not_finite', 2],
    ['frame_block', 1],
  ]);
});

test('the same record again is a duplicate, in either framing, after a restart too, and is not stored', async () => {
  const first = await intake.take('a', 'http', [frame(1_000), confluent(frame(1_000))]);
  expect(first).toEqual({ accepted: 1, duplicates: 1, rejected: [] });
  await journal.close();
  await open();
  expect(await intake.take('a', 'mqtt', [frame(1_000), frame(2_000)])).toMatchObject({
    accepted: 1,
    duplicates: 1,
  });
  expect(await intake.take('b', 'http', [frame(1_000)])).toMatchObject({ accepted: 1, duplicates: 0 });
  expect(journal.head()).toBe(3);
  expect(journal.ledger()).toMatchObject({ received: 10, duplicates: 4, pending: 6 });
});

test('a frame too large for the limit, and a device id of the wrong form, are refused', async () => {
  const large = environmentFrame(Array.from({ length: 500 }, (_, time) => ({ time })));
  expect((await intake.take('a', 'http', [large])).rejected).toMatchObject([{ code: 'frame_too_large' }]);
  await expect(intake.take('no id', 'http', [frame(1)])).rejects.toMatchObject({ code: 'device_invalid' });
  expect(await intake.take('a', 'http', [])).toEqual({ accepted: 0, duplicates: 0, rejected: [] });
});

test('frames that wait for the disk are bounded; one request may be larger than that by itself', async () => {
  const large = Array.from(
    { length: 1 + Math.ceil(LIMITS.intakeBytes / 4_000) },
    () => new Uint8Array(4_000),
  );
  const first = intake.take('a', 'http', large);
  await expect(intake.take('b', 'http', [frame(1)])).rejects.toMatchObject({ code: 'too_many_frames' });
  expect((await first).rejected).toHaveLength(large.length);
  expect(await intake.take('b', 'http', [frame(1)])).toMatchObject({ accepted: 1 });
});

test('a server that stops finishes what it took and takes no more', async () => {
  const taken = intake.take('a', 'mqtt', [frame(1)]);
  await intake.drain();
  expect(journal.head()).toBe(1);
  expect(await taken).toMatchObject({ accepted: 1 });
  await expect(intake.take('a', 'mqtt', [frame(2)])).rejects.toMatchObject({ code: 'draining' });
});

test('a record without a time of its own is another one each time', async () => {
  const text = JSON.stringify({ type: 'record', name: 'Timeless', fields: [{ name: 'x', type: 'int' }] });
  await registry.register('timeless', text);
  const bytes = Buffer.concat([encodeSingleObjectHeader(fingerprintOf(text)), Buffer.from([2])]);
  expect(await intake.take('a', 'http', [bytes, bytes])).toMatchObject({ accepted: 2, duplicates: 0 });
});

test('equal bytes of another schema are another record', async () => {
  const texts = ['North', 'South'].map((name) => {
    const time = { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } };
    return JSON.stringify({ type: 'record', name, fields: [time, { name: 'x', type: 'int' }] });
  });
  for (const [index, text] of texts.entries()) await registry.register(`timed${index}`, text);
  const sent = texts.map((text) =>
    Buffer.concat([encodeSingleObjectHeader(fingerprintOf(text)), Buffer.from([2, 2])]),
  );
  expect(await intake.take('a', 'http', [...sent, ...sent])).toMatchObject({ accepted: 2, duplicates: 2 });
});
