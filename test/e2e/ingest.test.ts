import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

describe('GET /v1/ingest', () => {
  const folder = temporaryFolder();
  const sockets: DeviceSocket[] = [];
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startServer({
      MILLRACE_DATA_DIR: folder.path,
      MILLRACE_MAX_FRAME_BYTES: '4096',
      MILLRACE_MAX_UNACKED_BYTES: '16KiB',
    });
  });
  afterEach(async () => {
    await Promise.all(sockets.splice(0).map((socket) => socket.end()));
  });
  afterAll(async () => {
    await server.end('SIGTERM');
    folder.remove();
  });

  const connect = (
    ...args: [query: string, options?: { protocols?: string[]; headers?: Record<string, string> }]
  ) => {
    const socket = new DeviceSocket(server.wsUrl, ...args);
    sockets.push(socket);
    return socket;
  };

  test('welcomes a new device at 0 with its limits, and acknowledges what it sends', async () => {
    const device = connect('device=a');
    expect(await device.expect('welcome')).toMatchObject({
      device: 'a',
      seq: 0,
      maxFrameBytes: 4096,
      maxUnackedBytes: 16_384,
    });
    for (let i = 0; i < 3; i++) device.socket.send(environmentFrame([{ time: Date.now() - i }]));
    expect(await device.acked(3)).toEqual({ type: 'ack', seq: 3 });
  });

  test('takes frames that were sent before the welcome', async () => {
    const device = connect('device=eager');
    device.socket.on('open', () => device.socket.send(environmentFrame([{ time: Date.now() }])));
    await device.acked(1);
  });

  test('goes on behind the last durable frame when the device comes back', async () => {
    const first = connect('device=b');
    const { epoch } = await first.expect('welcome');
    for (let i = 0; i < 50; i++) first.socket.send(environmentFrame([{ time: Date.now() - i }]));
    await first.acked(1);
    // Some of the frames are still on their way: the welcome has to wait for those that the server has.
    const second = connect('device=b');
    const welcome = await second.expect('welcome');
    expect(welcome.epoch).toBe(epoch);
    const { seq = 0 } = welcome;
    expect(seq).toBeGreaterThanOrEqual(1);
    second.socket.send(environmentFrame([{ time: Date.now() - 100 }]));
    expect(await second.acked(seq + 1)).toEqual({ type: 'ack', seq: seq + 1 });
    expect(await first.closed()).toBe(4508);
  });

  test('refuses one bad frame with its number and code, and keeps the connection and the frame', async () => {
    const device = connect('device=c');
    await device.expect('welcome');
    const good = environmentFrame([{ time: Date.now() }]);
    device.socket.send(good);
    device.socket.send(good.subarray(0, good.length - 1));
    device.socket.send(Buffer.alloc(0));
    device.socket.send(environmentFrame([{ time: Date.now() }], 'somebody-else'));
    device.socket.send(environmentFrame([{ time: Date.now() }], 'c'));
    await device.acked(5);
    const rejects = device.messages.filter((message) => message.type === 'reject');
    expect(rejects.map(({ seq, code }) => [seq, code])).toEqual([
      [2, 'frame_truncated'],
      [3, 'frame_empty'],
      [4, 'device_mismatch'],
    ]);
    const lastReject = device.messages.findLastIndex((message) => message.type === 'reject');
    const coveringAck = device.messages.findIndex(
      (message) => message.type === 'ack' && (message.seq ?? 0) >= 4,
    );
    expect(lastReject).toBeLessThan(coveringAck);
    const answer = await fetch(`${server.url}/v1/dead-letters`);
    const { deadLetters } = (await answer.json()) as { deadLetters: { device: string; code: string }[] };
    expect(
      deadLetters
        .filter((letter) => letter.device === 'c')
        .map((letter) => letter.code)
        .toSorted(),
    ).toEqual(['device_mismatch', 'frame_empty', 'frame_truncated']);
  });

  test('closes with 4510 on a text message', async () => {
    const device = connect('device=d');
    await device.expect('welcome');
    device.socket.send('{"type":"what"}');
    expect(await device.closed()).toBe(4510);
  });

  test('closes with 4509 on a frame over the limit, and with 4013 on more bytes than the window', async () => {
    const large = connect('device=e');
    await large.expect('welcome');
    large.socket.send(Buffer.alloc(5_000));
    expect(await large.closed()).toBe(4509);
    const greedy = connect('device=f');
    await greedy.expect('welcome');
    const frame = Buffer.alloc(4_000);
    for (let i = 0; i < 64; i++) greedy.socket.send(frame);
    expect(await greedy.closed()).toBe(4013);
  });

  test('selects the subprotocol when it is offered', async () => {
    const device = connect('device=g', { protocols: ['other', 'millrace.v1'] });
    await device.expect('welcome');
    expect(device.socket.protocol).toBe('millrace.v1');
  });

  test.each([
    ['no device', '', {}, 400, 'device_missing'],
    ['a device id of another form', 'device=a%20b', {}, 400, 'device_invalid'],
    ['a foreign name for this address', 'device=h', { Host: 'elsewhere.example' }, 403, 'origin_forbidden'],
    ['a page of another origin', 'device=h', { Origin: 'http://elsewhere.example' }, 403, 'origin_forbidden'],
  ])('answers %s before the upgrade', async (_, query, headers, status, code) => {
    const device = connect(query, { headers: { ...headers } });
    const refused = await device.rejected();
    expect(refused.status).toBe(status);
    expect(refused.body.code).toBe(code);
  });

  test('counts every reading in the ledger', async () => {
    const ledger = await until('nothing pending', async () => {
      const answer = (await (await fetch(`${server.url}/v1/ledger`)).json()) as Record<string, number>;
      return answer['pending'] === 0 ? answer : undefined;
    });
    const { received, ...others } = ledger;
    expect(received).toBeGreaterThanOrEqual(8);
    expect(Object.values(others).reduce((sum, count) => sum + count, 0)).toBe(received);
    expect(ledger['rejected']).toBeGreaterThanOrEqual(3);
  });
});

test('a server that drains says goaway, acknowledges what came, closes with 1012 and exits 0', async () => {
  const folder = temporaryFolder();
  const server = await startServer({ MILLRACE_DATA_DIR: folder.path });
  const device = new DeviceSocket(server.wsUrl, 'device=a');
  await device.expect('welcome');
  device.socket.send(environmentFrame([{ time: Date.now() }]));
  const exit = server.end('SIGTERM');
  await device.expect('goaway');
  await device.acked(1);
  expect(await device.closed()).toBe(1012);
  expect(await exit).toBe(0);
  folder.remove();
});
