import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { runMillrace, startServer, type ServerProcess } from '../fixtures/server.ts';

let folder: ReturnType<typeof temporaryFolder>;
let server: ServerProcess;

beforeAll(async () => {
  folder = temporaryFolder();
  server = await startServer({ MILLRACE_DATA_DIR: folder.path, MILLRACE_PROCESSES: '2' });
});
afterAll(async () => {
  await server.end('SIGTERM');
  folder.remove();
});

const ledger = async (): Promise<Record<string, number>> => {
  const { byTransport } = (await (await fetch(`${server.url}/v1/ledger?by=transport`)).json()) as {
    byTransport: Record<string, Record<string, number>>;
  };
  return byTransport['http'] ?? {};
};

test('frames by HTTP are taken once, whichever of two processes gets them', async () => {
  const now = Date.now();
  const bodies = Array.from({ length: 20 }, (_, n) => environmentFrame([{ time: now - n * 10 }]));
  // Each on a connection of its own, which the system gives to either process.
  const post = (body: Buffer) =>
    fetch(`${server.url}/v1/frames`, {
      method: 'POST',
      headers: { 'Content-Type': 'avro/binary', 'X-Device': 'posted', Connection: 'close' },
      body,
    });
  const [first, again] = [await Promise.all(bodies.map(post)), await Promise.all(bodies.map(post))];
  for (const answer of first) expect(await answer.json()).toMatchObject({ accepted: 1, duplicates: 0 });
  for (const answer of again) expect(await answer.json()).toMatchObject({ accepted: 0, duplicates: 1 });
  expect(await ledger()).toMatchObject({ received: 40, duplicates: 20, rejected: 0 });
});

test('simulated devices send by HTTP', async () => {
  const { received: before = 0 } = await ledger();
  const args = ['--model', 'environment', '--count', '5', '--rate', '10', '--readings', '5'];
  const { code, stdout } = await runMillrace([
    'devices',
    ...['--url', server.url, '--transport', 'http', '--duration', '1s', '--json'],
    ...args,
  ]);
  const summary = JSON.parse(stdout) as Record<string, number>;
  expect([code, summary['frames_acked'], summary['readings_acked']]).toEqual([0, 50, 250]);
  expect((await ledger())['received']).toBe(before + 250);
});

test('the description of the routes has the one for frames', async () => {
  const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { responses: object }>>;
  };
  expect(Object.keys(document.paths['/v1/frames']?.['post']?.responses ?? {})).toEqual(
    expect.arrayContaining(['200', '413', '415', '422', '503']),
  );
});
