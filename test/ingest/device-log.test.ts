import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { LIMITS, MillraceError } from '../../src/core/index.ts';
import { DeviceLog } from '../../src/ingest/index.ts';
import { openLocalJournal, type Journal } from '../../src/journal/index.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../src/registry/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { recordedLog, type LogLine } from '../fixtures/recorded-log.ts';
import { connect, openHub, type WireHub } from './wire.ts';

const INFO = 30;
const DEBUG = 20;
let folder: ReturnType<typeof temporaryFolder>;
let registry: Registry;
let journal: Journal;
let hub: WireHub;
let lines: LogLine[];

beforeEach(async () => {
  folder = temporaryFolder();
  registry = await openRegistry({ dir: `${folder.path}/registry` });
  await loadSchemaFolder(registry, 'schemas');
  journal = await openLocalJournal({ dir: `${folder.path}/journal` });
  const log = recordedLog();
  lines = log.lines;
  hub = openHub(journal, registry, 2, new DeviceLog(log.logger));
});
afterEach(async () => {
  await journal.close();
  await registry.close();
  folder.remove();
});

const told = (level: number): LogLine[] => lines.filter((line) => line.level === level);
const frame = (): Buffer => environmentFrame([{ time: Date.now() }]);

test('the first refused frame of each device and code is told at once, the others as a number', async () => {
  const a = await connect(hub, 'a');
  const b = await connect(hub, 'b');
  for (let i = 0; i < 3; i++) a.handler.message(Buffer.alloc(0), true);
  a.handler.message(frame().subarray(0, 20), true);
  b.handler.message(Buffer.alloc(0), true);
  const empty = { transport: 'ws', code: 'frame_empty', reason: 'the message has no bytes', level: INFO };
  expect(told(INFO)).toMatchObject([
    { ...empty, device: 'a', seq: 1, msg: 'a frame was refused' },
    { device: 'a', seq: 4, code: 'frame_truncated' },
    { ...empty, device: 'b', seq: 1 },
  ]);
  await hub.drain('the server is stopping');
  expect(told(INFO).slice(3)).toEqual([
    { level: INFO, device: 'a', code: 'frame_empty', more: 2, msg: 'more frames were refused' },
  ]);
  expect([...hub.frames.rejected]).toEqual([
    ['frame_empty', 4],
    ['frame_truncated', 1],
  ]);
});

test('a connection that the server ends is told with device, code and reason, and its device by the same words', async () => {
  const ends: [code: string, act: (handler: Awaited<ReturnType<typeof connect>>) => unknown][] = [
    ['replaced', () => connect(hub, 'a')],
    ['protocol_error', ({ handler }) => handler.message(Buffer.from('{}'), false)],
    ['frame_too_large', ({ handler }) => handler.message(Buffer.alloc(5_000), true)],
    ['window_exceeded', ({ handler }) => Array.from({ length: 9 }, () => handler.message(frame(), true))],
  ];
  for (const [code, act] of ends) {
    const connection = await connect(hub, 'a');
    lines.length = 0;
    await act(connection);
    expect(told(INFO)).toEqual([
      {
        level: INFO,
        device: 'a',
        code,
        reason: connection.wire.endedBecause,
        msg: 'a device connection was ended',
      },
    ]);
    // A sentence for people, where the close code is for programs.
    expect(connection.wire.endedBecause).toMatch(/^[a-z]+ .* [a-z]+/);
    const log = recordedLog();
    lines = log.lines;
    hub = openHub(journal, registry, 2, new DeviceLog(log.logger));
  }
});

test('a device that reads nothing until it is cut off, and one whose message the edge does not take, are told', async () => {
  const deaf = await connect(hub, 'deaf');
  deaf.wire.sendText = () => 'dropped';
  deaf.handler.message(Buffer.alloc(0), true);
  expect(deaf.wire.open).toBe(false);
  expect(told(INFO)).toMatchObject([{ code: 'frame_empty' }, { device: 'deaf', code: 'slow_consumer' }]);
  deaf.handler.closed(1006);
  const huge = await connect(hub, 'huge');
  huge.handler.closed(1009);
  expect(told(INFO)[2]).toMatchObject({ device: 'huge', code: 'frame_too_large' });
});

test('devices that are turned away are told, by name where they have one', async () => {
  await connect(hub, 'a');
  await connect(hub, 'b');
  await expect(connect(hub, 'c')).rejects.toMatchObject({ code: 'too_many_connections' });
  await expect(connect(hub, 'no%0Aid')).rejects.toMatchObject({ code: 'device_invalid' });
  expect(told(INFO)).toMatchObject([
    { device: 'c', code: 'too_many_connections', msg: 'a device was turned away' },
    { device: null, code: 'device_invalid' },
  ]);
});

test('coming and going, and the planned end of all connections, is for the debug level', async () => {
  const { handler } = await connect(hub, 'a');
  await hub.drain('the server is stopping');
  handler.closed(1012);
  expect(told(INFO)).toEqual([]);
  expect(told(DEBUG)).toMatchObject([
    { device: 'a', seq: 0, msg: 'a device connected' },
    { device: 'a', code: 'draining', reason: 'the server is stopping' },
    { device: 'a', closeCode: 1012, msg: 'a device left' },
  ]);
});

test('of more devices than the table holds their number is told, by code', () => {
  const log = recordedLog();
  const devices = new DeviceLog(log.logger);
  const many = LIMITS.deviceLogEntries + 5;
  const refuse = (code: 'frame_empty' | 'frame_utf8'): void => {
    for (let i = 0; i < many; i++) devices.frameRefused(`d${i}`, 'ws', 1, new MillraceError(code, 'x'));
  };
  refuse('frame_empty');
  refuse('frame_utf8');
  expect(log.lines).toHaveLength(LIMITS.deviceLogEntries);
  devices.tellMore();
  expect(log.lines.slice(LIMITS.deviceLogEntries)).toMatchObject([
    { device: null, code: 'frame_empty', more: 5 },
    { device: null, code: 'frame_utf8', more: many },
  ]);
  // Nothing came again, so all of them are forgotten and the next one is a first one.
  refuse('frame_empty');
  expect(log.lines).toHaveLength(2 * LIMITS.deviceLogEntries + 2);
  devices.tellMore();
});
