import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { TRANSPORTS } from '../../../src/core/index.ts';
import { BlockBuffers } from '../../../src/journal/local/format/block-buffers.ts';
import { BlockBuilder } from '../../../src/journal/local/format/block-builder.ts';
import { BLOCK_VERSION, openBlock } from '../../../src/journal/local/format/block.ts';
import type { BlockDevice } from '../../../src/journal/local/format/frame-cursor.ts';
import { DeviceCursors } from '../../../src/journal/local/numbers/device-cursors.ts';
import { unzigzag, VarintReader, writeVarint, zigzag } from '../../../src/journal/local/format/varint.ts';

const safe = fc.maxSafeInteger().map(Math.abs);

const frames = fc.array(
  fc.record({
    device: fc.nat(4),
    skip: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(1_000) }),
    bytes: fc.uint8Array({ maxLength: 300 }),
    readings: fc.oneof(fc.nat(3), fc.nat(65_536)),
    arrivalMs: fc.integer({ min: 0, max: 9_000_000_000_000 }),
  }),
  { minLength: 1, maxLength: 200 },
);

/** Five connections, of all transports, the last one with a number far beyond 32 bits. */
const connections = [0, 1, 2, 0, 0].map((kind, i) => ({
  device: `device:${'x'.repeat(i * 30)}${i}`,
  transport: TRANSPORTS[kind] ?? 'ws',
  firstSeq: i === 4 ? 2 ** 45 : i + 1,
  life: [null, null, null, 0, 2 ** 48 - 1][i] ?? null,
}));

/** Used again and again, so that every block but the first is built on what another one left. */
const buffers = new BlockBuffers(1_000);

function build(
  first: number,
  input: { device: number; skip: number; bytes: Uint8Array; readings: number; arrivalMs: number }[],
) {
  const builder = new BlockBuilder(first, buffers);
  const devices = connections.map((c) => builder.addDevice(c.device, c.transport, c.firstSeq, c.life));
  const expected = input.map(({ device: index, skip, bytes, readings, arrivalMs }, i) => {
    const device = devices[index];
    if (device === undefined) throw new Error('no such device');
    const seq = device.lastSeq + 1 + skip;
    builder.append(device, seq, bytes, readings, arrivalMs);
    device.lastSeq = seq;
    const { device: id, transport } = device;
    return { position: first + i, device: id, transport, seq, arrivalMs, readings, bytes: [...bytes] };
  });
  // A connection is in the table because it took a number, if only with a refused frame.
  for (const device of devices) device.lastSeq = Math.max(device.lastSeq, device.firstSeq);
  // A copy, since the next block may be built in the same memory.
  const block = Buffer.from(builder.finish());
  builder.release();
  return { block, expected, devices };
}

describe('the block format', () => {
  test('what is written is read back, frame by frame, from any position', () => {
    fc.assert(
      fc.property(frames, fc.nat(2 ** 40), fc.nat(250), (input, first, offset) => {
        const { block, expected, devices } = build(first, input);
        const read = openBlock(block, first);
        expect([...read.frames()].map((frame) => ({ ...frame, bytes: [...frame.bytes] }))).toEqual(expected);
        expect([...read.frames(first + offset)].map((frame) => frame.position)).toEqual(
          expected.slice(offset).map((frame) => frame.position),
        );
        expect(read.next).toBe(first + input.length);
        expect(read.readings).toBe(input.reduce((sum, frame) => sum + frame.readings, 0));
        expect(read.sizeBytes).toBe(block.length);
        const told = ({ device, life, lastSeq, frames: count }: BlockDevice) => ({
          device,
          life,
          lastSeq,
          count,
        });
        expect(read.devices().map(told)).toEqual(devices.map(told));
      }),
    );
  });

  test('any one byte changed, or any bytes cut off, is found and named by position', () => {
    fc.assert(
      fc.property(
        frames,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (input, at, flip, cut) => {
          const { block } = build(7_000, input);
          const bad = Buffer.from(block);
          const offset = at % bad.length;
          bad[offset] = (bad[offset] ?? 0) ^ flip;
          // The upper bits of the version say "newer", which is reported as such.
          if (offset === 4 || offset === 5) return;
          // Nothing reads the header's own length before the checksum is known to be right.
          if (offset === 6 || offset === 7) return;
          expect(() => openBlock(cut ? block.subarray(0, offset) : bad, 7_000)).toThrow(
            expect.objectContaining({
              code: 'journal_corrupt',
              message: expect.stringContaining('position 7000'),
            }),
          );
        },
      ),
    );
  });

  test('a block found under another position than its own is refused', () => {
    const { block } = build(10, [{ device: 0, skip: 0, bytes: Buffer.from('x'), readings: 1, arrivalMs: 1 }]);
    expect(() => openBlock(block, 11)).toThrow(/position 10/);
  });

  test('a block of a newer version is told apart from a damaged one', () => {
    const { block } = build(10, [{ device: 0, skip: 0, bytes: Buffer.from('x'), readings: 1, arrivalMs: 1 }]);
    block.writeUInt16LE(BLOCK_VERSION + 1, 4);
    expect(() => openBlock(block, 10)).toThrow(expect.objectContaining({ code: 'data_dir_version' }));
  });

  test('varints and zigzag give back every safe integer', () => {
    fc.assert(
      fc.property(safe, fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), (value, signed) => {
        const bytes = new Uint8Array(16);
        const end = writeVarint(bytes, 0, value);
        const reader = new VarintReader(bytes, 0);
        expect([reader.next(), reader.at]).toEqual([value, end]);
        expect(end).toBeLessThanOrEqual(8);
        expect(unzigzag(zigzag(signed))).toBe(signed);
      }),
    );
  });
});

describe('the snapshot of the device cursors', () => {
  test('gives back every cursor, and damage to it is found', () => {
    const outboxes = fc.array(fc.tuple(fc.stringMatching(/^[A-Za-z0-9_-]{16,64}$/), fc.nat(2 ** 40), safe), {
      ...{ minLength: 1, maxLength: 8 },
    });
    const ids = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/);
    fc.assert(
      fc.property(
        fc.dictionary(ids, safe, { noNullPrototype: true }),
        fc.dictionary(ids, outboxes, { noNullPrototype: true }),
        fc.nat(2 ** 40),
        fc.nat(),
        (seqs, records, position, at) => {
          const cursors = new DeviceCursors();
          for (const [device, seq] of Object.entries(seqs)) cursors.restore(device, seq);
          for (const [device, record] of Object.entries(records))
            cursors.outboxes.restore(device, { outboxes: record });
          const bytes = cursors.encodeSnapshot(position);
          const again = new DeviceCursors();
          expect(again.restoreSnapshot(bytes)).toBe(position);
          for (const [device, seq] of Object.entries(seqs)) expect(again.durable(device)).toBe(seq);
          for (const [device, record] of Object.entries(records))
            expect(again.outboxes.record(device, 0).outboxes).toEqual(record);
          expect(again.size).toBe(cursors.size);
          const offset = 8 + (at % (bytes.length - 8));
          bytes[offset] = (bytes[offset] ?? 0) ^ 1;
          expect(() => new DeviceCursors().restoreSnapshot(bytes)).toThrow(
            expect.objectContaining({ code: 'journal_corrupt' }),
          );
        },
      ),
    );
  });
});
