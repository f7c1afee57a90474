/** A process to be killed: appends frames as fast as it may and tells on stdout what was acknowledged. */
import { writeSync } from 'node:fs';
import { NO_READINGS } from '../../../src/core/index.ts';
import { openLocalJournal } from '../../../src/journal/index.ts';

const [dir = '', seed = '0'] = process.argv.slice(2);
const journal = await openLocalJournal({ dir, blockBytes: 20_000, snapshotBytes: 100_000 });
let random = Number(seed) + 1;
const next = (below: number): number => {
  random = (random * 48_271) % 0x7fffffff;
  return random % below;
};

const devices = Array.from({ length: 20 }, (_, i) => {
  const device = `device-${i}`;
  return {
    device,
    transport: 'ws' as const,
    seq: journal.deviceSeq(device),
    onDurable: (seq: number) => writeSync(1, `${device} ${seq}\n`),
    onFailed: () => writeSync(1, 'failed\n'),
  };
});
writeSync(1, 'ready\n');

for (;;) {
  for (let i = 0; i < 200; i++) {
    const origin = devices[next(devices.length)];
    if (origin === undefined) continue;
    const seq = ++origin.seq;
    if (next(20) === 0) {
      const bytes = Buffer.from(`${origin.device}/${seq}`);
      const letter = { atMs: 1, code: 'frame_truncated', message: 'cut', readings: 1, position: null, bytes };
      journal.reject(origin, seq, { ...origin, ...letter });
    } else {
      journal.append(
        origin,
        seq,
        Buffer.from(`${origin.device}/${seq}/${'.'.repeat(next(60))}`),
        2,
        Date.now(),
      );
    }
  }
  const middle = Math.floor((journal.settledPosition() + journal.head()) / 2);
  if (middle > journal.settledPosition()) {
    const count = 2 * (middle - journal.settledPosition());
    const stored = { ...NO_READINGS, ws: count };
    const expired = NO_READINGS;
    await journal
      .settle({ from: journal.settledPosition(), position: middle, stored, expired, deadLetters: [] })
      .catch((error: unknown) => writeSync(1, `${String(error)}\n`));
  }
  await new Promise((resolve) => setImmediate(resolve));
}
