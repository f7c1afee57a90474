import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { runMillrace, startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

interface Line {
  level: number;
  pid: number;
  msg: string;
  device?: string;
  code?: string;
  seq?: number;
  reason?: string;
}

const LIMIT = 4_096;

describe.each([1, 2])('what an operator sees of refusals with %d processes', (processes) => {
  let folder: ReturnType<typeof temporaryFolder>;
  let server: ServerProcess;
  const sockets: DeviceSocket[] = [];
  beforeEach(async () => {
    folder = temporaryFolder();
    server = await startServer({
      MILLRACE_DATA_DIR: folder.path,
      MILLRACE_PROCESSES: String(processes),
      MILLRACE_MAX_FRAME_BYTES: String(LIMIT),
    });
  });
  afterEach(async () => {
    await Promise.all(sockets.splice(0).map((socket) => socket.end()));
    await server.end('SIGTERM');
    folder.remove();
  });

  const connect = async (device: string): Promise<DeviceSocket> => {
    const socket = new DeviceSocket(server.wsUrl, `device=${device}`);
    sockets.push(socket);
    await socket.expect('welcome');
    return socket;
  };
  const lines = (): Line[] =>
    server
      .log()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Line);
  const told = (code: string): Promise<Line[]> =>
    until(`a line of ${code}`, () => {
      const found = lines().filter((line) => line.code === code);
      return found.length > 0 ? found : undefined;
    });
  const metric = async (name: string): Promise<number | undefined> => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length));
  };

  test('refused frames: a line for each device and code, a counter by code, numbers in the dead letters', async () => {
    const metricName = 'millrace_frames_rejected_total{code="frame_empty"}';
    expect(await metric(metricName)).toBe(0);
    // So many that each process has some of them.
    const devices = Array.from({ length: 16 }, (_, i) => `d${i}`);
    for (const device of devices) {
      const socket = await connect(device);
      socket.socket.send(Buffer.alloc(0));
      socket.socket.send(Buffer.alloc(0));
      await socket.acked(2);
    }
    const found = await until('a line of each', () => {
      const refused = lines().filter(({ msg }) => msg === 'a frame was refused');
      return refused.length === devices.length ? refused : undefined;
    });
    expect(new Set(found.map(({ device }) => device))).toEqual(new Set(devices));
    for (const line of found) expect(line).toMatchObject({ level: 30, code: 'frame_empty', seq: 1 });
    expect(new Set(found.map(({ pid }) => pid)).size).toBe(processes);
    expect(await metric(metricName)).toBe(2 * devices.length);
    const listed = await runMillrace([
      'dead-letters',
      'list',
      '--json',
      '--device',
      'd3',
      '--url',
      server.url,
    ]);
    const { deadLetters } = JSON.parse(listed.stdout) as { deadLetters: { seq: number }[] };
    expect(deadLetters.map(({ seq }) => seq)).toEqual([2, 1]);
    // What was only counted is told when the server stops.
    await server.end('SIGTERM');
    expect(lines().filter(({ msg }) => msg === 'more frames were refused')).toHaveLength(devices.length);
  });

  test('connections that the server ends, the edge too, and devices that fight over a name', async () => {
    const first = await connect('fought-over');
    await connect('fought-over');
    await first.closed();
    expect(await told('replaced')).toMatchObject([{ level: 30, device: 'fought-over' }]);
    for (const [device, bytes] of [
      ['large', LIMIT + 1],
      ['huge', 10 * LIMIT],
    ] as const) {
      const socket = await connect(device);
      socket.socket.send(Buffer.alloc(bytes));
      await socket.closed();
      await until(`a line of ${device}`, () =>
        lines().some(
          (line) => line.device === device && line.code === 'frame_too_large' && line.level === 30,
        ),
      );
    }
    const talker = await connect('talker');
    talker.socket.send('hello?');
    expect(await talker.closed()).toBe(4510);
    expect(await told('protocol_error')).toMatchObject([{ level: 30, device: 'talker' }]);
    const tail = new WebSocket(`${server.wsUrl}/v1/tail`);
    tail.on('open', () => tail.send('hello?'));
    await once(tail, 'close');
    expect((await told('protocol_error')).filter(({ msg }) => msg === 'a tail was ended')).toMatchObject([
      { level: 30, reason: 'the message is not JSON' },
    ]);
  });
});
