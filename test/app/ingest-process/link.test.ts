import { PassThrough, type Duplex } from 'node:stream';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  DuplicateBatch,
  DurableBatch,
  readDuplicates,
  readDurable,
} from '../../../src/app/ingest-process/durable.ts';
import { FrameBatches, readFrames } from '../../../src/app/ingest-process/frames.ts';
import { KIND, ProcessLink } from '../../../src/app/ingest-process/link.ts';

/** What a link writes, as it would arrive. */
function written(send: (link: ProcessLink) => void): Buffer {
  const stream = new PassThrough();
  send(new ProcessLink(stream));
  return (stream.read() as Buffer | null) ?? Buffer.alloc(0);
}

/** What a link makes of bytes that arrive in pieces. */
async function received(bytes: Buffer, cuts: readonly number[]): Promise<unknown[]> {
  const stream: Duplex = new PassThrough();
  const link = new ProcessLink(stream);
  const got: unknown[] = [];
  // As the calls do it: one microtask after they came.
  link.listen((message) => queueMicrotask(() => got.push(message)));
  link.open({
    frames: (payload) => got.push(['frames', payload.toString('latin1')]),
    durable: (payload) => got.push(['durable', payload.toString('latin1')]),
    duplicates: (payload) => got.push(['duplicates', payload.toString('latin1')]),
  });
  let at = 0;
  for (const cut of cuts) {
    stream.emit('data', bytes.subarray(at, Math.min(bytes.length, at + cut)));
    at += cut;
  }
  if (at < bytes.length) stream.emit('data', bytes.subarray(at));
  await new Promise((resolve) => setImmediate(resolve));
  return got;
}

const message = fc.oneof(
  fc.tuple(fc.constant('call' as const), fc.string()),
  fc.tuple(fc.constant('frames' as const), fc.string({ unit: 'binary-ascii', maxLength: 300 })),
  fc.tuple(fc.constant('durable' as const), fc.string({ unit: 'binary-ascii', maxLength: 300 })),
  fc.tuple(fc.constant('duplicates' as const), fc.string({ unit: 'binary-ascii', maxLength: 300 })),
);

test('messages of all kinds arrive whole and in their order, wherever the stream cuts them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 200 }),
      async (messages, cuts) => {
        const bytes = written((link) => {
          for (const [kind, text] of messages) {
            if (kind === 'call') link.post(text);
            else link.send(KIND[kind], Buffer.from(text, 'latin1'));
          }
        });
        const expected = messages.map(([kind, text]) => (kind === 'call' ? text : [kind, text]));
        expect(await received(bytes, cuts)).toEqual(expected);
      },
    ),
  );
});

/** As long as a journal takes it. */
const latin1 = fc
  .uint8Array({ minLength: 1, maxLength: 64 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));

test('frames come out of a batch as they went in', () => {
  const frame = fc.record({
    connection: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    seq: fc.maxSafeNat(),
    readings: fc.integer({ min: 0, max: 65_536 }),
    arrivalMs: fc.maxSafeNat(),
    content: fc.option(latin1, { nil: undefined }),
    bytes: fc.uint8Array({ maxLength: 600 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 60 }), (frames) => {
      const got: unknown[] = [];
      const batches = new FrameBatches(512, (payload, sent) => {
        for (const { bytes, ...rest } of readFrames(payload))
          got.push({ ...rest, bytes: Uint8Array.from(bytes) });
        sent();
      });
      for (const { connection, seq, bytes, readings, arrivalMs, content } of frames) {
        batches.append(connection, seq, bytes, readings, arrivalMs, content);
      }
      batches.flush();
      expect(got).toEqual(frames);
    }),
  );
});

test('a batch whose memory is not free yet is not filled again', () => {
  const payloads: Buffer[] = [];
  const batches = new FrameBatches(64, (payload) => payloads.push(payload));
  for (let n = 0; n < 10; n++) {
    batches.append(1, n, Uint8Array.of(n), 1, 0);
    batches.flush();
  }
  expect(payloads.map((payload) => [...readFrames(payload)].map(({ seq }) => seq))).toEqual(
    Array.from({ length: 10 }, (_, n) => [n]),
  );
});

test('many small batches of which none leaves keep their own bytes, and not the memory of whole ones', () => {
  const batchBytes = 64 * 1024;
  const payloads: Buffer[] = [];
  const batches = new FrameBatches(batchBytes, (payload) => payloads.push(payload));
  for (let n = 0; n < 1_000; n++) {
    batches.append(1, n, Uint8Array.of(n), 1, 0);
    batches.flush();
  }
  expect(payloads.flatMap((payload) => [...readFrames(payload)].map(({ seq }) => seq))).toEqual(
    Array.from({ length: 1_000 }, (_, n) => n),
  );
  const memory = new Set(payloads.map(({ buffer }) => buffer));
  expect([...memory].reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThan(8 * batchBytes);
});

test('what commits took comes out as it went in, for more connections than the memory had room for', () => {
  const batch = new DurableBatch();
  const entries = Array.from({ length: 1_000 }, (_, n) => [n, 2 ** 40 + n, n * 3, 1.7e12 + n] as const);
  for (const entry of entries) batch.add(...entry);
  const got: unknown[] = [];
  readDurable(batch.take(), (...entry) => got.push(entry));
  expect(got).toEqual(entries);
  expect(batch.empty).toBe(true);
});

test('each duplicate comes out as the connection that brought it, in their order', () => {
  const batch = new DuplicateBatch();
  const brought = [1, 2, 2, 2 ** 32 - 1];
  for (const connection of brought) batch.add(connection);
  const got: number[] = [];
  readDuplicates(batch.take(), (connection) => got.push(connection));
  expect(got).toEqual(brought);
  expect(batch.empty).toBe(true);
});
