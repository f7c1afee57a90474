/**
 * What the journal costs: frames per second taken and synced, beside bare lmdb and bare write + fdatasync of
 * blocks of the same size. `npm run build`, then `node bench/journal.mjs [seconds]`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLocalJournal } from '../dist/src/journal/index.js';
import { bareFile, bareLmdb } from './disk.mjs';

const seconds = Number(process.argv[2] ?? 3);
const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function journal(name, frameBytes, devices) {
  const log = await openLocalJournal({ dir: join(dir, name), maxBytes: 64 * 1024 ** 3 });
  const origins = Array.from({ length: devices }, (_, i) => ({
    device: `device-${i}`,
    transport: 'ws',
    seq: 0,
    onDurable() {},
    onFailed() {
      throw new Error('the journal failed');
    },
  }));
  const bytes = Buffer.alloc(frameBytes, 1);
  const begin = performance.now();
  const cpu = process.cpuUsage();
  let frames = 0;
  while (performance.now() - begin < seconds * 1_000) {
    for (let i = 0; i < 1_000 && log.accepting(); i++) {
      const origin = origins[frames++ % devices];
      log.append(origin, ++origin.seq, bytes, 1, 1_700_000_000_000);
    }
    await turn();
  }
  await log.flush();
  const elapsed = (performance.now() - begin) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  await log.close();
  row(name, frames / elapsed, (frames * frameBytes) / elapsed, (user + system) / 1e6 / elapsed);
}

function row(name, framesPerS, bytesPerS, cores) {
  const frames = framesPerS === null ? '' : `${(framesPerS / 1e6).toFixed(2)} M frames/s`;
  const cpu = cores === null ? '' : `${cores.toFixed(2)} cores`;
  console.log(
    `${name.padEnd(32)}${frames.padStart(18)}${`${(bytesPerS / 1e6).toFixed(0)} MB/s`.padStart(12)}${cpu.padStart(12)}`,
  );
}

console.log(
  `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model}, ${new Date().toISOString().slice(0, 10)}`,
);
try {
  await journal('40 B frames, 1,000 devices', 40, 1_000);
  await journal('40 B frames, 100,000 devices', 40, 100_000);
  await journal('4 KB frames, 1,000 devices', 4_096, 1_000);
  row('bare lmdb, 1 MB', null, await bareLmdb(dir, seconds), null);
  row('bare write + fdatasync, 1 MB', null, bareFile(dir, seconds), null);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
