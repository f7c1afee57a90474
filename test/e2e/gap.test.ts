import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';
import { TailSocket } from '../tail/tail-socket.ts';

const MAY_MS = Date.UTC(2026, 4, 1);

const folder = temporaryFolder();
let server: ServerProcess;
beforeAll(async () => {
  server = await startServer({ MILLRACE_DATA_DIR: folder.path, MILLRACE_TAIL_RETENTION_BYTES: '0' });
});
afterAll(async () => {
  await server.end('SIGTERM');
  folder.remove();
});

test('a tail that comes back too late is told where to read what it missed, as near as the frames that are gone', async () => {
  const tail = `${server.wsUrl}/v1/tail?measurement=environment`;
  const early = new TailSocket(tail, []);
  const { cursor = '' } = await early.expect('subscribed');
  await early.end();

  const device = new DeviceSocket(server.wsUrl, 'device=d1');
  await device.expect('welcome');
  let sent = 0;
  const gap = await until('a gap', async () => {
    device.socket.send(environmentFrame([{ time: MAY_MS + sent * 1_000, temperature: sent }]));
    sent += 1;
    await device.acked(sent);
    await until('the frame to be stored', async () => {
      const ledger = (await (await fetch(`${server.url}/v1/ledger`)).json()) as { pending: number };
      return ledger.pending === 0;
    });
    const late = new TailSocket(`${tail}&cursor=${cursor}`, []);
    await late.expect('live');
    const [told] = late.of('gap');
    await late.end();
    return told;
  });
  await device.end();

  const query = new URL(gap.query ?? '');
  expect(query.origin).toBe(server.url);
  const fromMs = Date.parse(query.searchParams.get('from') ?? '');
  const toMs = Date.parse(query.searchParams.get('to') ?? '');
  expect(fromMs).toBeGreaterThanOrEqual(MAY_MS - 1);
  expect(fromMs).toBeLessThanOrEqual(MAY_MS);
  expect(toMs).toBeGreaterThan(fromMs);
  expect(toMs).toBeLessThanOrEqual(MAY_MS + sent * 1_000);
  const answer = await fetch(query);
  expect(answer.status).toBe(200);
  const { rows } = (await answer.json()) as { rows: unknown[][] };
  expect(rows[0]?.slice(0, 2)).toEqual(['2026-05-01T00:00:00Z', 'd1']);
});
