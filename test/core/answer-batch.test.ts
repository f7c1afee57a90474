import { fork } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  DEVICE_COLUMN,
  TIME_COLUMN,
  batchOfRows,
  formatTimeNs,
  rowsOfBatch,
  timeFormatter,
  type AnswerBatch,
  type AnswerColumn,
  type Cell,
} from '../../src/core/index.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const column = (name: string, type: AnswerColumn['type']): AnswerColumn => ({
  name,
  role: 'field',
  type,
  float32: false,
  unit: null,
});
const columns = [
  TIME_COLUMN,
  DEVICE_COLUMN,
  column('x', 'float'),
  column('n', 'integer'),
  column('ok', 'boolean'),
  column('s', 'string'),
];
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const orMissing = <T extends Cell>(cell: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(cell);
const row: fc.Arbitrary<Cell[]> = fc.tuple(
  int64,
  fc.constantFrom('a', 'b', 'ü\u0000'),
  orMissing(fc.double({ noNaN: true })),
  // A sum beyond 64 bits is a float among integers.
  orMissing(fc.oneof(int64, fc.double({ min: 1e20, max: 1e30, noNaN: true }))),
  orMissing(fc.boolean()),
  orMissing(fc.string({ unit: 'grapheme' })),
);

describe('rows of an answer in columns', () => {
  test('are the same rows again', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), (rows) => {
        expect(rowsOfBatch(batchOfRows(columns, rows))).toEqual(rows);
      }),
    );
  });

  test('come through the channel between processes as they were sent', async () => {
    const folder = temporaryFolder();
    const echo = join(folder.path, 'echo.mjs');
    writeFileSync(echo, "process.on('message', (batch) => process.send(batch));\n");
    const child = fork(echo, { serialization: 'advanced' });
    try {
      const send = async (batch: AnswerBatch): Promise<AnswerBatch> => {
        const reply = once(child, 'message');
        child.send(batch);
        return ((await reply) as [AnswerBatch])[0];
      };
      await fc.assert(
        fc.asyncProperty(fc.array(row, { maxLength: 40 }), async (rows) => {
          const there = await send(batchOfRows(columns, rows));
          expect(rowsOfBatch(there)).toEqual(rows);
          expect(there.columns.map((values) => values.type)).toEqual([
            'integer',
            'string',
            'float',
            'integer',
            'boolean',
            'string',
          ]);
        }),
        { numRuns: 50 },
      );
    } finally {
      child.kill();
      folder.remove();
    }
  });
});

test('a formatter of times writes each as it is written alone, whatever came before', () => {
  const step = fc.oneof(fc.constant(0n), fc.bigInt(-2_000_000_000n, 2_000_000_000n));
  fc.assert(
    fc.property(fc.bigInt(-(10n ** 18n), 4n * 10n ** 18n), fc.array(step), (startNs, steps) => {
      const format = timeFormatter();
      let timeNs = startNs;
      for (const unit of [1n, 1_000n, 1_000_000n, 1_000_000_000n]) {
        for (const each of steps) {
          timeNs = ((timeNs + each) / unit) * unit;
          expect(format(timeNs)).toBe(formatTimeNs(timeNs));
        }
      }
    }),
  );
});
