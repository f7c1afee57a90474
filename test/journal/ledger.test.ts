import { cp } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { openLocalJournal } from '../../src/journal/index.ts';
import { Connection, folder, letter, text, ws } from './harness.ts';

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('append' as const), device: fc.nat(3), readings: fc.nat(20) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('reject' as const), device: fc.nat(3) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('resend' as const), device: fc.nat(3), readings: fc.nat(20) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('settle' as const),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
        lettered: fc.nat(3),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const), clean: fc.boolean() }) },
  ),
  { maxLength: 40 },
);

describe('the ledger', () => {
  test('is balanced and exact through any order of frames, refusals, settlements, and starts', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        let dir = await folder();
        const options = {
          blockBytes: 200,
          tailRetentionMs: 0,
          snapshotBytes: 1_000,
          clock: { nowMs: () => 1e6 },
        };
        let journal = await openLocalJournal({ dir, ...options });
        const seqs = [0, 0, 0, 0];
        /** Readings by position; what was counted. */
        const frames: number[] = [];
        const model = { received: 0, stored: 0, duplicates: 0, rejected: 0, deadLettered: 0, expired: 0 };
        const devices = seqs.map((_, i) => new Connection(`device-${i}`));
        const check = (): void => {
          const { pending, byTransport: _, ...counts } = journal.ledger();
          expect(counts).toEqual(model);
          expect(pending).toBe(frames.slice(journal.settledPosition()).reduce((sum, n) => sum + n, 0));
        };
        for (const step of sequence) {
          const device = 'device' in step ? devices[step.device] : undefined;
          const index = 'device' in step ? step.device : 0;
          if (step.do === 'append' && device) {
            const seq = (seqs[index] = (seqs[index] ?? 0) + 1);
            journal.append(device, seq, text(`${seq}`), step.readings, 1);
            frames.push(step.readings);
            model.received += step.readings;
          } else if (step.do === 'reject' && device) {
            const seq = (seqs[index] = (seqs[index] ?? 0) + 1);
            journal.reject(device, seq, letter(device.device));
            model.received++;
            model.rejected++;
          } else if (step.do === 'resend' && device && (seqs[index] ?? 0) > 0) {
            journal.append(device, seqs[index] ?? 0, text('again'), step.readings, 1);
            model.received += step.readings;
            model.duplicates += step.readings;
          } else if (step.do === 'flush') {
            await journal.flush();
            check();
          } else if (step.do === 'settle') {
            await journal.flush();
            const from = journal.settledPosition();
            const position = from + Math.round((journal.head() - from) * step.part);
            const readings = frames.slice(from, position).reduce((sum, n) => sum + n, 0);
            const deadLettered = Math.min(step.lettered, readings);
            const stored = readings - deadLettered;
            const deadLetters = deadLettered > 0 ? [{ ...letter('device-0'), readings: deadLettered }] : [];
            await journal.settle({ position, stored: ws(stored), expired: ws(0), deadLetters });
            model.stored += stored;
            model.deadLettered += deadLettered;
            check();
          } else if (step.do === 'reopen') {
            await journal.flush();
            if (!step.clean) {
              // As after a crash: the files without what a close adds to them.
              const copy = await folder();
              await cp(dir, copy, { recursive: true, filter: (path) => !path.endsWith('-lock') });
              await journal.close();
              dir = copy;
            } else await journal.close();
            journal = await openLocalJournal({ dir, ...options });
            check();
            expect(devices.map(({ device: id }) => journal.deviceSeq(id))).toEqual(seqs);
          }
        }
        await journal.flush();
        check();
        await journal.close();
      }),
      { numRuns: 60 },
    );
  });
});
