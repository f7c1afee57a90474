import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { sharesPorts } from '../../src/net/index.ts';
import { RawConnection } from '../net/raw.ts';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { runMillrace, startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

describe('a server on node:http and ws', () => {
  const folder = temporaryFolder();
  let server: ServerProcess;
  let port: number;
  beforeAll(async () => {
    server = await startServer({ MILLRACE_DATA_DIR: folder.path, MILLRACE_EDGE: 'node' });
    port = Number(new URL(server.url).port);
  });
  afterAll(() => folder.remove());

  test('acknowledges frames, tails them and answers for them', async () => {
    const rows: unknown[] = [];
    const tail = new WebSocket(`${server.wsUrl}/v1/tail?measurement=environment`);
    tail.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { rows?: unknown[] };
      rows.push(...(message.rows ?? []));
    });
    const device = new DeviceSocket(server.wsUrl, 'device=a', { protocols: ['bearer.x', 'millrace.v1'] });
    await device.expect('welcome');
    expect(device.socket.protocol).toBe('millrace.v1');
    const now = Date.now();
    for (let n = 0; n < 300; n++) device.socket.send(environmentFrame([{ time: now - n }]));
    device.socket.send(Buffer.alloc(0));
    await device.acked(301);
    expect(device.messages.find(({ type }) => type === 'reject')).toMatchObject({
      seq: 301,
      code: 'frame_empty',
    });
    await until('the rows on the tail', () => rows.length === 300);
    await until('the rows in the store', async () => {
      const answer = await fetch(`${server.url}/v1/query?measurement=environment&fn=count&field=temperature`);
      return ((await answer.json()) as { rows: unknown[][] }).rows[0]?.[1] === 300;
    });
    tail.terminate();
    await device.end();
  });

  test('is probed in HTTP/1.0, and in a request line that arrives in pieces', async () => {
    const old = await RawConnection.open(port);
    old.write('GET /healthz HTTP/1.0\r\n\r\n');
    expect(await old.end()).toMatch(/^HTTP\/1.1 200 OK/);
    const pieces = await RawConnection.open(port);
    for (const piece of ['GET ', '/healthz', ' HTTP/1.1\r\n', 'Host: 127.0.0.1\r\n\r\n'])
      await pieces.flush(piece);
    await pieces.expect(/^HTTP\/1.1 200 OK/);
    pieces.socket.destroy();
  });

  test('refuses a head that is too large with a code', async () => {
    const answer = await fetch(`${server.url}/v1/query?measurement=${'x'.repeat(20_000)}`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([431, 'application/problem+json']);
    expect(await answer.json()).toMatchObject({ code: 'head_too_large' });
  });

  test('drains when it is stopped: what came is acknowledged, and devices are told to come back', async () => {
    const device = new DeviceSocket(server.wsUrl, 'device=b');
    await device.expect('welcome');
    for (let n = 0; n < 50; n++) device.socket.send(environmentFrame([{ time: Date.now() - n }]));
    await device.acked(1);
    const ended = server.end('SIGTERM');
    await device.expect('goaway');
    expect(await device.closed()).toBe(1012);
    expect(await ended).toBe(0);
    await device.acked(50);
  });
});

describe('which edge serves', () => {
  /** As where the binary asks for a newer C library. */
  const OLD_GLIBC = `
    const { dlopen } = process;
    process.dlopen = function (module, file, ...more) {
      if (file.includes('uws_')) throw new Error("libc.so.6: version \`GLIBC_2.38' not found");
      return dlopen.call(this, module, file, ...more);
    };`;
  const WITHOUT = { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(OLD_GLIBC)}"` };
  // A Node for which there is no binary at all gets no further than to look for it.
  const REASON =
    /uWebSockets\.js does not load in Node v\S+ on \S+: (libc.so.6: version `GLIBC_2.38' not found|Cannot find module)/;

  test('is told in the log with the reason, when the first one does not load', async () => {
    const folder = temporaryFolder();
    const server = await startServer({ ...WITHOUT, MILLRACE_EDGE: 'auto', MILLRACE_DATA_DIR: folder.path });
    expect(server.log()).toMatch(REASON);
    expect(server.log()).toContain('"edge":"node"');
    expect(await server.end('SIGTERM')).toBe(0);
    folder.remove();
  });

  test('is not another one than was asked for: the start ends, with the reason in the words of the system', async () => {
    const { code, stderr } = await runMillrace(['serve', '--edge', 'uws'], WITHOUT);
    expect(code).toBe(1);
    expect(stderr).toMatch(REASON);
    expect(stderr).toContain('(edge_unavailable)');
    expect(stderr).toContain('--edge node');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test('is checked like any setting', async () => {
    const { code, stderr } = await runMillrace(['serve', '--edge', 'nginx']);
    expect(code).toBe(2);
    expect(stderr).toContain('--edge: expected uws, node or auto, got "nginx"');
  });

  test('of several processes is one that can share a port, or the start is refused', async () => {
    const folder = temporaryFolder();
    const env = { MILLRACE_EDGE: 'node', MILLRACE_PROCESSES: '2', MILLRACE_DATA_DIR: folder.path };
    if (sharesPorts('node')) {
      const server = await startServer(env);
      expect(await server.end('SIGTERM')).toBe(0);
    } else {
      const { code, stderr } = await runMillrace(['serve'], env);
      expect(code).toBe(2);
      expect(stderr).toContain('MILLRACE_PROCESSES: expected 1, got 2');
    }
    folder.remove();
  });
});
