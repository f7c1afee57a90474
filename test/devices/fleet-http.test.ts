import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { runFleet, type FleetOptions } from '../../devices/index.ts';
import { EDGES } from '../fixtures/edge.ts';
import { PostedTo } from '../ingest/posting.ts';

let server: Server;
let url: string;
/** What the next request is answered; null cuts its connection. */
let next: (device: string) => { status: number; json: object } | null;
const kept = new Map<string, Buffer[]>();

beforeEach(async () => {
  kept.clear();
  server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const device = String(request.headers['x-device']);
  const answer = next(device);
  if (answer === null) {
    request.socket.destroy();
    return;
  }
  if (answer.status === 200) kept.set(device, [...(kept.get(device) ?? []), Buffer.concat(chunks)]);
  response.writeHead(answer.status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(answer.json));
}

const TAKEN = { status: 200, json: { accepted: 1, duplicates: 0, rejected: [] } };
const run = (options: Partial<FleetOptions> = {}) =>
  runFleet({
    url,
    transport: 'http',
    model: 'environment',
    count: 4,
    rate: 20,
    readings: 5,
    durationMs: 1_000,
    seed: 1,
    ...options,
  });

test.each(EDGES)('a fleet by HTTP has all that it sends acknowledged, by a gateway on %s', async (edge) => {
  const gateway = await PostedTo.open(edge);
  try {
    const summary = await run({ url: `http://127.0.0.1:${gateway.port}` });
    expect(summary).toMatchObject({
      frames_sent: 80,
      frames_acked: 80,
      frames_rejected: 0,
      frames_unacked: 0,
      readings_acked: 400,
      reconnects: 0,
    });
    expect(summary.ack_ms_p50).toBeGreaterThan(0);
    expect(gateway.journal.ledger().byTransport.http).toMatchObject({ received: 400, duplicates: 0 });
  } finally {
    await gateway.close();
  }
});

test('a frame is sent again until it is answered, and frames keep their order', async () => {
  let requests = 0;
  next = () => {
    requests += 1;
    if (requests % 7 === 0) return null;
    return requests % 5 === 0 ? { status: 503, json: { code: 'journal_full' } } : TAKEN;
  };
  const summary = await run();
  expect(summary).toMatchObject({ frames_sent: 80, frames_acked: 80, frames_unacked: 0 });
  expect(summary.reconnects).toBeGreaterThan(0);
  for (const [, frames] of kept) expect(new Set(frames.map(String)).size).toBe(20);
});

test('a refused frame is counted by its code, and the next one follows', async () => {
  let refused = 0;
  next = (device) => {
    if (device !== 'environment-0001' || refused === 3) return TAKEN;
    refused += 1;
    return { status: 422, json: { code: 'time_out_of_range', detail: 'too early' } };
  };
  const summary = await run();
  expect(summary).toMatchObject({ frames_acked: 77, frames_rejected: 3, rejected: { time_out_of_range: 3 } });
});

test('a gateway that will not have a device stops it, with the reason', async () => {
  next = () => ({ status: 401, json: { code: 'unauthorized' } });
  const summary = await run();
  expect(summary).toMatchObject({ frames_acked: 0, stopped: { '401 unauthorized': 4 } });
});
