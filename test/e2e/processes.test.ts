import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { freePort } from '../fixtures/free-port.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let server: ServerProcess;
const sockets: { end(): Promise<void> }[] = [];

beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(async () => {
  await Promise.all(sockets.splice(0).map((socket) => socket.end()));
  await server.end('SIGTERM');
  folder.remove();
});

async function serve(processes: number, env: Record<string, string> = {}): Promise<void> {
  server = await startServer({
    MILLRACE_DATA_DIR: folder.path,
    MILLRACE_PROCESSES: String(processes),
    ...env,
  });
}

async function get<T>(path: string): Promise<T> {
  return (await (await fetch(server.url + path)).json()) as T;
}

interface Ready {
  parts: { processes: { state: string; running: number; wanted: number } };
}

async function running(count: number): Promise<void> {
  await until(`${count} processes`, async () => {
    // The process that goes may have the connection over which it is asked.
    const ready = await get<Ready>('/readyz').catch(() => null);
    return ready?.parts.processes.running === count && ready.parts.processes.wanted === count;
  });
}

/** Device connections by process. */
async function devices(): Promise<Map<string, number>> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const lines = text.matchAll(/^millrace_process_device_connections\{process="([^"]+)"\} (\d+)$/gm);
  return new Map([...lines].map(([, process = '', count]) => [process, Number(count)]));
}

function connect(device: string): DeviceSocket {
  const socket = new DeviceSocket(server.wsUrl, `device=${device}`);
  sockets.push(socket);
  return socket;
}

/** Connects a device and tells which process has it. Nobody else may connect meanwhile. */
async function place(device: string): Promise<{ socket: DeviceSocket; process: string }> {
  const before = await devices();
  const socket = connect(device);
  await socket.expect('welcome');
  // A connection that it replaced ends soon, and counts no more then.
  const process = await until(
    `the process of ${device}`,
    async () => [...(await devices())].find(([name, count]) => count > (before.get(name) ?? 0))?.[0],
  );
  return { socket, process };
}

/** Connects devices until each process has one. The system chooses, so it takes a few. */
async function placeInEach(count: number): Promise<Map<string, DeviceSocket>> {
  const found = new Map<string, DeviceSocket>();
  for (let n = 0; found.size < count && n < 200; n++) {
    const { socket, process } = await place(`device-${n}`);
    if (!found.has(process)) found.set(process, socket);
  }
  expect(found.size).toBe(count);
  return found;
}

const frame = (ago = 0): Buffer => environmentFrame([{ time: Date.now() - ago }]);

interface TailSocket {
  socket: WebSocket;
  rows: unknown[];
  types: string[];
  closeCode: number | null;
}

/** Tails that are live, each on a connection of its own. */
function openTails(count: number): Promise<TailSocket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = new WebSocket(`${server.wsUrl}/v1/tail?measurement=environment&field=temperature`);
      const tail: TailSocket = { socket, rows: [], types: [], closeCode: null };
      socket.on('message', (data: Buffer) => {
        const message = JSON.parse(data.toString('utf8')) as { type: string; rows?: unknown[] };
        tail.types.push(message.type);
        tail.rows.push(...(message.rows ?? []));
      });
      socket.on('close', (code) => {
        tail.closeCode = code;
      });
      const end = async (): Promise<void> => {
        if (socket.readyState === WebSocket.CLOSED) return;
        const closed = once(socket, 'close');
        socket.terminate();
        await closed;
      };
      sockets.push({ end });
      await until('the tail to be live', () => tail.types.includes('live'));
      return tail;
    }),
  );
}

describe('several processes on one port', () => {
  test('take devices, and the ledger, the metrics and the list of devices count them all', async () => {
    await serve(3);
    const found = await placeInEach(3);
    expect([...found.keys()].sort()).toEqual(['ingest-1', 'ingest-2', 'server']);
    for (const { socket } of found.values()) {
      for (let n = 0; n < 4; n++) socket.send(frame(n));
      socket.send('no frame at all'.slice(0, 0));
    }
    await Promise.all([...found.values()].map(async (device) => device.closed()));
    // An empty text message is no control message: it ends the connection behind what came before it.
    expect([...found.values()].map(({ closeCode }) => closeCode)).toEqual([4510, 4510, 4510]);
    await until('the frames to be stored', async () => {
      const ledger = await get<Record<string, number>>('/v1/ledger');
      return ledger['received'] === 12 && ledger['stored'] === 12;
    });
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toMatch(/^millrace_frames_received_total 12$/m);
    const listed = await get<{ devices: { connected: boolean }[] }>('/v1/devices');
    expect(listed.devices).toHaveLength(3);
    expect(listed.devices.map(({ connected }) => connected)).toEqual([false, false, false]);
  });

  test('refuse a bad frame in its place among the good ones, and keep it', async () => {
    await serve(2);
    const found = await placeInEach(2);
    for (const device of found.values()) {
      device.socket.send(frame(1));
      device.socket.send(Buffer.alloc(0));
      device.socket.send(frame(2));
      await device.acked(3);
      const rejects = device.messages.filter(({ type }) => type === 'reject');
      expect(rejects.map(({ seq, code }) => [seq, code])).toEqual([[2, 'frame_empty']]);
    }
    const { deadLetters } = await get<{ deadLetters: unknown[] }>('/v1/dead-letters');
    expect(deadLetters).toHaveLength(2);
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toMatch(/^millrace_frames_rejected_total\{code="frame_empty"\} 2$/m);
  });

  test('replace the older connection of a device wherever it is, and number its frames on', async () => {
    await serve(2);
    let { socket: older, process: from } = await place('a');
    const ways = new Set<string>();
    let seq = 0;
    for (let n = 0; ways.size < 4 && n < 100; n++) {
      older.socket.send(frame(n));
      await older.acked(++seq);
      const newer = connect('a');
      expect(await newer.expect('welcome')).toMatchObject({ seq });
      expect(await older.closed()).toBe(4508);
      const to = await until('the one connection that is left', async () => {
        const busy = [...(await devices())].filter(([, count]) => count > 0);
        return busy.length === 1 && busy[0]?.[1] === 1 ? busy[0][0] : undefined;
      });
      ways.add(`${from} → ${to}`);
      older = newer;
      from = to;
    }
    expect([...ways].sort()).toEqual([
      'ingest-1 → ingest-1',
      'ingest-1 → server',
      'server → ingest-1',
      'server → server',
    ]);
  });

  test('count connections together', async () => {
    await serve(2, { MILLRACE_MAX_CONNECTIONS: '3' });
    const taken = [connect('a'), connect('b'), connect('c')];
    await Promise.all(taken.map((socket) => socket.expect('welcome')));
    for (let n = 0; n < 8; n++) {
      const { status, body } = await connect(`late-${n}`).rejected();
      expect([status, body['code']]).toEqual([503, 'too_many_connections']);
    }
    await taken[0]?.end();
    await until('room for another', async () => {
      const again = connect('d');
      await until('an answer', () => again.refused !== null || again.messages.length > 0);
      return again.refused === null;
    });
  });

  test('answer every request alike, whichever gets it', async () => {
    await serve(3);
    const device = connect('a');
    await device.expect('welcome');
    for (let n = 0; n < 20; n++) device.socket.send(frame(n * 10));
    await device.acked(20);
    await until('all rows', async () => (await get<{ stored: number }>('/v1/ledger')).stored === 20);
    const asked: [path: string, init: RequestInit, status: number][] = [
      ['/v1/query?measurement=environment&to=9999999999999', {}, 200],
      ['/v1/query?measurement=environment&to=9999999999999&format=csv', {}, 200],
      ['/v1/query?measurement=environment&to=9999999999999', { method: 'HEAD' }, 200],
      ['/v1/query', { method: 'POST', body: '{"measurement":"environment","to":"9999999999999"}' }, 200],
      ['/v1/query?measurement=nothing', {}, 404],
      ['/v1/query', { method: 'DELETE' }, 405],
      ['/openapi.json', {}, 200],
      ['/', {}, 200],
      ['/v1/ingest', {}, 426],
      ['/nowhere?x=%20y', {}, 404],
    ];
    for (const [path, init, status] of asked) {
      const answers = new Set<string>();
      for (let n = 0; n < 12; n++) {
        const type = init.body === undefined ? {} : { 'Content-Type': 'application/json' };
        // A connection each, so that all processes get some.
        const response = await fetch(server.url + path, {
          ...init,
          headers: { ...type, Connection: 'close' },
        });
        const told = ['content-type', 'cache-control', 'etag', 'allow', 'upgrade'].map((name) =>
          response.headers.get(name),
        );
        const length = init.method === 'HEAD' ? response.headers.get('content-length') : null;
        answers.add(JSON.stringify([response.status, told, length, await response.text()]));
      }
      expect([path, [...answers]]).toEqual([path, [expect.stringContaining(`[${status},`)]]);
    }
    const etag = (await fetch(`${server.url}/v1/measurements`)).headers.get('etag') ?? '';
    for (let n = 0; n < 6; n++) {
      const response = await fetch(`${server.url}/v1/measurements`, {
        headers: { 'If-None-Match': etag, Connection: 'close' },
      });
      expect(response.status).toBe(304);
    }
  });

  test('serve each tail the rows of all, and refuse what is wrong with it', async () => {
    await serve(3);
    const found = await placeInEach(3);
    const tails = await openTails(9);
    for (const device of found.values()) for (let n = 0; n < 5; n++) device.socket.send(frame(n));
    for (const { rows } of tails) await until('15 rows', () => rows.length >= 15);
    expect(tails.map(({ rows }) => rows.length)).toEqual(tails.map(() => 15));
    expect((await get<{ tails: number }>('/v1/stats')).tails).toBe(9);
    for (const { socket } of tails) {
      const closed = once(socket, 'close');
      socket.send(Buffer.from([1, 2, 3]));
      expect((await closed)[0]).toBe(4510);
    }
    for (let n = 0; n < 6; n++) {
      const refused = new WebSocket(`${server.wsUrl}/v1/tail`, {
        headers: { Origin: 'http://elsewhere.test' },
      });
      const [, response] = (await once(refused, 'unexpected-response')) as [unknown, { statusCode: number }];
      expect(response.statusCode).toBe(403);
    }
  });

  test('become more and fewer at a signal, and only what the one that goes has has to come back', async () => {
    await serve(2);
    process.kill(server.pid, 'SIGTTIN');
    await running(3);
    const found = await placeInEach(3);
    const tails = await openTails(40);
    process.kill(server.pid, 'SIGTTOU');
    await running(2);
    const gone = found.get('ingest-2');
    expect(await gone?.closed()).toBe(1012);
    expect(gone?.messages.at(-1)).toMatchObject({ type: 'goaway' });
    for (const name of ['server', 'ingest-1']) {
      const device = found.get(name);
      device?.socket.send(frame());
      await device?.acked(1);
      expect(device?.closeCode).toBeNull();
    }
    process.kill(server.pid, 'SIGTTOU');
    process.kill(server.pid, 'SIGTTOU');
    await running(1);
    expect(await found.get('ingest-1')?.closed()).toBe(1012);
    expect(found.get('server')?.closeCode).toBeNull();
    // Of 40 connections to three processes some are in each.
    const ended = tails.filter(({ closeCode }) => closeCode !== null);
    expect(ended.length).toBeGreaterThan(0);
    expect(ended.length).toBeLessThan(tails.length);
    expect(ended.map(({ closeCode, types }) => [closeCode, types.at(-1)])).toEqual(
      ended.map(() => [1012, 'goaway']),
    );
  });

  test('acknowledge what has come when the server stops, and tell every device to come back', async () => {
    await serve(3);
    const found = await placeInEach(3);
    for (const device of found.values()) for (let n = 0; n < 50; n++) device.socket.send(frame(n));
    for (const device of found.values()) await device.acked(1);
    expect(await server.end('SIGTERM')).toBe(0);
    for (const device of found.values()) {
      expect(await device.closed()).toBe(1012);
      expect(device.messages.some(({ type }) => type === 'goaway')).toBe(true);
      expect(device.messages.findLast(({ type }) => type === 'ack')).toEqual({ type: 'ack', seq: 50 });
    }
    await serve(2);
    for (const device of found.values()) {
      const again = connect(String(new URL(device.socket.url).searchParams.get('device')));
      expect(await again.expect('welcome')).toMatchObject({ seq: 50 });
    }
  });

  test('a server that was killed leaves no process behind, and its port is free for the next one', async () => {
    const env = { MILLRACE_PORT: await freePort() };
    await serve(3, env);
    const found = await placeInEach(3);
    await server.end('SIGKILL');
    for (const device of found.values()) expect(await device.closed()).toBe(1006);
    await serve(3, env);
    await running(3);
  });
});
