/**
 * How long a large journal takes to open, as after a crash and as after a clean end, and to check.
 * `npm run build`, then `node bench/journal-open.mjs [gigabytes] [bytes of a frame] [--check]`. Needs as much disk.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkJournal, openLocalJournal } from '../dist/src/journal/index.js';

const GB = 1e9;
const DEVICES = 1_000;
const maxBytes = 64 * 1024 ** 3;

/** Fills it, says so, and waits to be killed. */
async function fill(dir, gigabytes, frameBytes) {
  const journal = await openLocalJournal({ dir, maxBytes });
  const origins = Array.from({ length: DEVICES }, (_, i) => ({
    device: `device-${i}`,
    transport: 'ws',
    seq: 0,
    onDurable() {},
    onFailed() {
      throw new Error('the journal failed');
    },
  }));
  const bytes = Buffer.alloc(frameBytes, 7);
  let frames = 0;
  while (journal.stats().bytes < gigabytes * GB) {
    for (let i = 0; i < 1_000 && journal.accepting(); i++) {
      const origin = origins[frames++ % DEVICES];
      journal.append(origin, ++origin.seq, bytes, 1, Date.now(), null);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await journal.flush();
  process.stdout.write('full\n');
  setInterval(() => {}, 60_000);
}

/** In a process of its own, so that nothing is warm but the system's cache. */
async function timed(what, dir) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), what, dir], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  await once(child, 'exit');
}

async function open(dir) {
  const begin = performance.now();
  const journal = await openLocalJournal({ dir, maxBytes });
  const ms = performance.now() - begin;
  const { size } = statSync(join(dir, 'journal.lmdb'));
  console.log(
    `opened ${(size / GB).toFixed(2)} GB, ${journal.head()} frames, in ${ms.toFixed(0)} ms`.padEnd(60) +
      `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB resident at most`,
  );
  await journal.close();
}

function check(dir) {
  const begin = performance.now();
  const { sound, blocks, frames } = checkJournal(dir);
  const s = (performance.now() - begin) / 1_000;
  console.log(
    `checked ${blocks} blocks, ${frames} frames in ${s.toFixed(1)} s: ${sound ? 'sound' : 'damaged'}`.padEnd(
      60,
    ) + `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB resident at most`,
  );
}

const [first = '1', second = '300'] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
if (first === 'open') await open(second);
else if (first === 'check') check(second);
else if (first === 'fill') await fill(second, Number(process.argv[4]), Number(process.argv[5]));
else {
  console.log(
    `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model}, ${new Date().toISOString().slice(0, 10)}; frames of ${second} bytes`,
  );
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  try {
    const filling = spawn(process.execPath, [fileURLToPath(import.meta.url), 'fill', dir, first, second], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(filling.stdout, 'data');
    filling.kill('SIGKILL');
    await once(filling, 'exit');
    console.log('after kill -9:');
    await timed('open', dir);
    console.log('after a clean end:');
    await timed('open', dir);
    await timed('open', dir);
    if (process.argv.includes('--check')) await timed('check', dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
