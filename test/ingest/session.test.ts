import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openLocalJournal, type Journal } from '../../src/journal/index.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../src/registry/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { until } from '../fixtures/until.ts';
import { DeviceDirectory } from '../../src/ingest/index.ts';
import { connect, openHub as hubOn } from './wire.ts';

let folder: ReturnType<typeof temporaryFolder>;
let registry: Registry;
let journal: Journal;
let accepting: boolean;
let listeners: (() => void)[];

beforeEach(async () => {
  folder = temporaryFolder();
  registry = await openRegistry({ dir: `${folder.path}/registry` });
  await loadSchemaFolder(registry, 'schemas');
  const real = await openLocalJournal({ dir: `${folder.path}/journal` });
  accepting = true;
  listeners = [];
  journal = new Proxy(real, {
    get: (target, name) => {
      if (name === 'accepting') return () => accepting;
      if (name === 'onStateChange') {
        return (listener: (state: string, accepting: boolean) => void) => {
          listeners.push(() => listener(accepting ? 'open' : 'full', accepting));
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
});
afterEach(async () => {
  await journal.close();
  await registry.close();
  folder.remove();
});

const openHub = (maxConnections = 10) => hubOn(journal, registry, maxConnections);
function setAccepting(value: boolean): void {
  accepting = value;
  for (const listener of listeners) listener();
}

const frame = (): Buffer => environmentFrame([{ time: Date.now() }]);

test('acks are withheld while the journal is full, and come when it has room', async () => {
  const hub = openHub();
  const { wire, handler } = await connect(hub, 'a');
  setAccepting(false);
  handler.message(frame(), true);
  await journal.flush();
  expect(journal.deviceSeq('a')).toBe(1);
  expect(wire.acks()).toEqual([]);
  setAccepting(true);
  expect(wire.acks()).toEqual([1]);
});

test('new connections get 503 while the journal is full, and beyond the connection limit', async () => {
  const hub = openHub(1);
  setAccepting(false);
  await expect(connect(hub, 'a')).rejects.toMatchObject({ code: 'journal_full' });
  setAccepting(true);
  await connect(hub, 'a');
  await expect(connect(hub, 'b')).rejects.toMatchObject({ code: 'too_many_connections' });
});

test('a new name beyond the number of devices is turned away, and the known ones come back', async () => {
  const hub = openHub();
  const known = await connect(hub, 'a');
  known.handler.message(frame(), true);
  const spare = await connect(hub, 'b', '&outbox=AAAAAAAAAAAAAAAA');
  spare.handler.message(Buffer.alloc(0), true);
  await journal.flush();
  const directory = new DeviceDirectory(journal, 10, 2);
  const holder = (device: string) => ({ device, outboxId: null, replaced: () => {} });
  const refused = { code: 'too_many_devices' };
  expect(() => directory.admit('c')).toThrow(expect.objectContaining(refused));
  await expect(directory.claim(holder('c'))).rejects.toMatchObject(refused);
  expect(directory.connections).toBe(0);
  for (const device of ['a', 'b']) {
    directory.admit(device);
    await expect(directory.claim(holder(device))).resolves.not.toBeNull();
  }
  new DeviceDirectory(journal, 10, 3).admit('c');
});

test('more frames in flight than the window closes with 4013', async () => {
  const { wire, handler } = await connect(openHub(), 'a');
  for (let i = 0; i < 9; i++) handler.message(frame(), true);
  expect(wire.endedWith).toBe(4013);
});

test('a newer connection is welcomed behind everything that the older one got to the disk', async () => {
  const hub = openHub();
  const first = await connect(hub, 'a');
  for (let i = 0; i < 5; i++) first.handler.message(frame(), true);
  const second = await connect(hub, 'a');
  expect(first.wire.endedWith).toBe(4508);
  expect(second.wire.sent[0]).toMatchObject({ type: 'welcome', seq: 5 });
  first.handler.message(frame(), true);
  second.handler.message(frame(), true);
  await until('the ack', () => second.wire.acks().includes(6));
});

test('a device that does not read gets one ack for all when it reads again', async () => {
  const { wire, handler } = await connect(openHub(), 'a');
  wire.backlog = 20_000;
  for (let i = 0; i < 40; i++) {
    handler.message(frame(), true);
    await journal.flush();
  }
  expect(wire.acks()).toEqual([]);
  expect(wire.endedWith).toBeNull();
  wire.backlog = 0;
  handler.drain?.();
  expect(wire.acks()).toEqual([40]);
});

test('a journal that fails ends the connection without an ack', async () => {
  const { wire, handler } = await connect(openHub(), 'a');
  await journal.close();
  handler.message(frame(), true);
  await until('the close', () => wire.endedWith === 4013);
  expect(wire.acks()).toEqual([]);
});
