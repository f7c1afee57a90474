import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LIMITS, type MillraceError } from '../../src/core/index.ts';
import { FairShares } from '../../src/ingest/fair-shares.ts';
import { FrameQueue } from '../../src/ingest/frame-queue.ts';
import { openLocalJournal, type Journal } from '../../src/journal/index.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../src/registry/index.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { until } from '../fixtures/until.ts';
import { connect, openHub as hubOn, type Wire } from './wire.ts';

let folder: ReturnType<typeof temporaryFolder>;
let registry: Registry;
let journal: Journal;

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

const WINDOW = 3_000;
const openHub = () => hubOn(journal, registry, 100, undefined, { maxUnacked: WINDOW });
const frame = (): Buffer => environmentFrame([{ time: Date.now() }]);
const EMPTY = new Uint8Array(0);
const rejects = ({ sent }: Wire): number[] =>
  sent.filter(({ type }) => type === 'reject').map(({ seq = 0 }) => seq);

async function rubbish(hub: ReturnType<typeof openHub>, devices: number) {
  const all = [];
  for (let n = 0; n < devices; n++) all.push(await connect(hub, `rubbish-${n}`));
  for (const { handler } of all) for (let i = 0; i < WINDOW; i++) handler.message(EMPTY, true);
  return all;
}

test('a frame that comes behind windows full of rubbish is acknowledged when few of it are refused', async () => {
  const hub = openHub();
  const honest = await connect(hub, 'honest');
  const others = await rubbish(hub, 5);
  honest.handler.message(frame(), true);
  await until('the ack', () => honest.wire.acks().includes(1));
  // Those before its commit, and as many while that is written.
  const most = 2 * LIMITS.refusedOnTheirWay;
  expect(others.reduce((sum, { wire }) => sum + rejects(wire).length, 0)).toBeLessThanOrEqual(most);
  await until('all acks', () => others.every(({ wire }) => wire.acks().includes(WINDOW)));
  for (const { wire } of others) {
    expect(rejects(wire)).toEqual(Array.from({ length: WINDOW }, (_, i) => i + 1));
  }
});

test('of many devices that send rubbish each has its turn', async () => {
  const hub = openHub();
  const others = await rubbish(hub, 20);
  await until('the first', () => others.some(({ wire }) => wire.acks().length > 0));
  const done = others.map(({ wire }) => rejects(wire).length);
  expect(Math.min(...done)).toBeGreaterThan(0);
  expect(Math.max(...done)).toBeLessThan(WINDOW);
});

test('good and bad frames keep their order and numbers, whatever of them waits', async () => {
  const hub = openHub();
  let devices = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ bad: fc.boolean(), count: fc.integer({ min: 1, max: 400 }), ends: fc.boolean() }),
        {
          minLength: 1,
          maxLength: 5,
        },
      ),
      async (runs) => {
        const { wire, handler } = await connect(hub, `mixed-${++devices}`);
        const expected: number[] = [];
        let seq = 0;
        for (const { bad, count, ends } of runs) {
          for (let i = 0; i < count; i++) {
            seq++;
            if (bad) expected.push(seq);
            handler.message(bad ? EMPTY : frame(), true);
          }
          if (ends) await new Promise((resolve) => setImmediate(resolve));
        }
        await until('the last ack', () => wire.acks().includes(seq));
        expect(rejects(wire)).toEqual(expected);
        expect(wire.acks()).toEqual(wire.acks().toSorted((a, b) => a - b));
        handler.closed(1000);
      },
    ),
    { numRuns: 15 },
  );
});

test('what came before its client left is taken, and its seat is free then', async () => {
  const hub = openHub();
  const { handler } = await connect(hub, 'a');
  for (let i = 0; i < WINDOW; i++) handler.message(i < WINDOW - 1 ? EMPTY : frame(), true);
  expect(journal.deviceSeq('a')).toBe(0);
  handler.closed(1000);
  await until('all of it', () => journal.deviceSeq('a') === WINDOW);
  await until('the end', () => hub.connections === 0);
  expect(journal.ledger()).toMatchObject({ received: WINDOW, rejected: WINDOW - 1 });
});

test('what came before the server stops is on disk when it has stopped', async () => {
  const hub = openHub();
  await rubbish(hub, 2);
  await hub.drain('a test');
  expect([journal.deviceSeq('rubbish-0'), journal.deviceSeq('rubbish-1')]).toEqual([WINDOW, WINDOW]);
});

test('of a connection that is replaced nothing more is taken, and the newer one counts on from what was', async () => {
  const hub = openHub();
  const [first] = await rubbish(hub, 1);
  const second = await connect(hub, 'rubbish-0');
  expect(first?.wire.endedWith).toBe(4508);
  const { seq = 0 } = second.wire.sent[0] ?? {};
  expect(seq).toBeLessThan(WINDOW);
  second.handler.message(frame(), true);
  await until('the ack', () => second.wire.acks().includes(seq + 1));
  first?.handler.closed(4508);
  expect(hub.connections).toBe(1);
  expect(journal.ledger()).toMatchObject({ received: seq + 1, rejected: seq });
});

test('the frames that wait are bounded over all connections: whoever has most of them is cut', () => {
  const shares = new FairShares(1_000);
  const cut: string[] = [];
  const queue = (name: string): FrameQueue => {
    const mine = new FrameQueue(
      {
        takes: false,
        take: () => {},
        takeSome: () => {},
        cut: (error: MillraceError) => {
          cut.push(`${name} ${error.code}`);
          mine.drop();
        },
      },
      shares,
    );
    return mine;
  };
  const [small, large] = [queue('small'), queue('large')];
  small.put(new Uint8Array(100), 1);
  large.put(new Uint8Array(850), 1);
  small.put(new Uint8Array(100), 1);
  expect(cut).toEqual(['large too_many_messages']);
  expect([small.count, large.count, shares.waiting.bytes]).toEqual([2, 0, 200]);
});
