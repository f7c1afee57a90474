import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openLocalJournal, type LocalJournal } from '../../src/journal/index.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../src/registry/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { until } from '../fixtures/until.ts';
import { connect, openHub } from './wire.ts';

const ONE = '&outbox=outbox-of-unit-1';
const TWO = '&outbox=outbox-of-unit-2';

let folder: ReturnType<typeof temporaryFolder>;
let registry: Registry;
let journal: LocalJournal;

beforeEach(async () => {
  folder = temporaryFolder();
  registry = await openRegistry({ dir: `${folder.path}/registry` });
  await loadSchemaFolder(registry, 'schemas');
  journal = await openLocalJournal({ dir: `${folder.path}/journal` });
});
afterEach(async () => {
  await journal.close();
  await registry.close();
  folder.remove();
});

const frame = (): Buffer => environmentFrame([{ time: Date.now() }]);
/** Sends so many frames and waits for their acks. */
async function send({ wire, handler }: Awaited<ReturnType<typeof connect>>, frames: number): Promise<number> {
  const seq = (wire.sent[0]?.seq ?? 0) + frames;
  for (let i = 0; i < frames; i++) handler.message(frame(), true);
  await until('the acks', () => wire.acks().includes(seq));
  return seq;
}

test('the welcome repeats the outbox, and has its numbers and an epoch of its own', async () => {
  const hub = openHub(journal, registry);
  const first = await connect(hub, 'a', ONE);
  expect(first.wire.sent[0]).toMatchObject({ outbox: 'outbox-of-unit-1', seq: 0 });
  await send(first, 3);
  const second = await connect(hub, 'a', TWO);
  expect(second.wire.sent[0]).toMatchObject({ outbox: 'outbox-of-unit-2', seq: 0 });
  await send(second, 1);
  const plain = await connect(hub, 'a');
  expect(plain.wire.sent[0]).toMatchObject({ epoch: journal.epoch, seq: 0 });
  expect(plain.wire.sent[0]).not.toHaveProperty('outbox');
  const again = await connect(hub, 'a', ONE);
  const epochs = [first, second, plain].map(({ wire }) => wire.sent[0]?.epoch);
  expect(new Set(epochs).size).toBe(3);
  expect(again.wire.sent[0]).toMatchObject({ seq: 3, epoch: epochs[0] });
});

test('what an older connection of the outbox has in flight is on disk before a newer one is welcomed', async () => {
  const hub = openHub(journal, registry);
  const first = await connect(hub, 'a', ONE);
  for (let i = 0; i < 5; i++) first.handler.message(frame(), true);
  const second = await connect(hub, 'a', ONE);
  const { epoch } = first.wire.sent[0] ?? {};
  expect(second.wire.sent[0]).toMatchObject({ seq: 5, epoch });
});

test('a newer connection of the device replaces the older, whatever the outboxes of both', async () => {
  const hub = openHub(journal, registry);
  const connections = [];
  for (const more of ['', ONE, TWO, '', TWO]) connections.push(await connect(hub, 'a', more));
  expect(connections.map(({ wire }) => wire.endedWith)).toEqual([4508, 4508, 4508, 4508, null]);
});

test.each([
  ['an empty one', '&outbox='],
  ['one of 15 characters', `&outbox=${'x'.repeat(15)}`],
  ['one of 65 characters', `&outbox=${'x'.repeat(65)}`],
  ['a character that is none of them', `&outbox=${'x'.repeat(16)}.`],
  ['two of them', `${ONE}${ONE}`],
])('an outbox id of the wrong form is refused before the upgrade: %s', async (_what, more) => {
  await expect(connect(openHub(journal, registry), 'a', more)).rejects.toMatchObject({
    code: 'outbox_invalid',
  });
});

test('the shortest and the longest id are taken', async () => {
  const hub = openHub(journal, registry);
  for (const length of [16, 64]) {
    const id = 'aB9_-'.padEnd(length, 'x');
    const { wire } = await connect(hub, 'a', `&outbox=${id}`);
    expect(wire.sent[0]?.outbox).toBe(id);
  }
});
