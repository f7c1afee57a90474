import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { Connection, folder, framesFrom, open, text } from '../harness.ts';

// Inside node_modules, so that the bundle finds lmdb.
const bundleDir = join('node_modules', '.cache', `millrace-journal-${process.pid}`);
const bundle = join(bundleDir, 'child.mjs');

beforeAll(async () => {
  await mkdir(bundleDir, { recursive: true });
  await build({
    entryPoints: ['test/journal/recover/child.ts'],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  });
});

afterAll(() => rm(bundleDir, { recursive: true, force: true }));

interface Child {
  child: ChildProcess;
  /** What it printed so far. */
  lines: string[];
  until: (lines: number) => Promise<void>;
}

function start(dir: string, seed: number): Child {
  return follow(spawn(process.execPath, [bundle, dir, `${seed}`], { stdio: ['ignore', 'pipe', 'inherit'] }));
}

/** The same where no file may grow beyond 2 MB: writes fail then, as on a full disk. */
function startConfined(dir: string): Child {
  const script = `trap "" XFSZ; ulimit -f 4096; exec "${process.execPath}" "${bundle}" "${dir}" 1`;
  // lmdb prints the error by itself.
  return follow(spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] }));
}

function follow(child: ChildProcess): Child {
  if (child.stdout === null) throw new Error('no output to read');
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  const until = async (count: number): Promise<void> => {
    while (lines.length < count) await once(reader, 'line');
  };
  return { child, lines, until };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'close');
}

const acks = (lines: string[]): string[] => lines.filter((line) => /^device-\d+ \d+$/.test(line));

describe('after kill -9', () => {
  test('everything acknowledged is there, once, in order, with balanced books, and the epoch goes on', async () => {
    const dir = await folder();
    const acked = new Map<string, number>();
    let epoch: string | undefined;
    for (let cycle = 0; cycle < 4; cycle++) {
      const { child, lines, until } = start(dir, cycle);
      await until(300 + 400 * cycle);
      await kill(child);
      expect(lines).not.toContain('failed');
      for (const line of lines) {
        const [device, seq] = line.split(' ');
        if (device !== undefined && seq !== undefined) acked.set(device, Number(seq));
      }

      const journal = await open(dir);
      epoch ??= journal.epoch;
      expect(journal.epoch).toBe(epoch);
      const taken = new Map<string, Set<number>>();
      const wrong: string[] = [];
      for (const { device, seq, text: body } of framesFrom(journal, 0)) {
        const seqs = taken.get(device) ?? new Set();
        taken.set(device, seqs);
        if (seqs.has(seq) || !body.startsWith(`${device}/${seq}/`)) wrong.push(`${device} ${seq}: ${body}`);
        seqs.add(seq);
      }
      for (const { device, bytes } of journal.deadLetters(100_000)) {
        taken.get(device)?.add(Number(Buffer.from(bytes).toString().split('/')[1]));
      }
      expect(wrong).toEqual([]);
      for (const [device, seq] of acked) {
        const durable = journal.deviceSeq(device);
        expect(durable).toBeGreaterThanOrEqual(seq);
        // Every number up to the last, and none beyond it: a hole or a stray would show here.
        expect(taken.get(device)?.size).toBe(durable);
        expect(Math.max(...(taken.get(device) ?? []))).toBe(durable);
      }
      const { received, stored, rejected, pending } = journal.ledger();
      expect(received).toBe(stored + rejected + pending);
      expect(received - rejected).toBe(2 * journal.head());
      expect(stored).toBe(2 * journal.settledPosition());
      await journal.close();
    }
    expect(acked.size).toBe(20);
  });

  test('a process whose journal another one has opened stops acknowledging and changes nothing more', async () => {
    const dir = await folder();
    const { child, lines, until } = start(dir, 7);
    await until(50);
    const journal = await open(dir);
    const head = journal.head();
    while (!lines.includes('failed')) await until(lines.length + 1);
    await kill(child);
    expect(journal.stats().state).toBe('open');
    const device = new Connection('mine');
    journal.append(device, 1, text('one'), 1, 1);
    await journal.flush();
    expect(device.acked).toBe(1);
    expect(framesFrom(journal, head)).toMatchObject([{ device: 'mine', seq: 1, position: head }]);
  });

  test('a disk that takes no more fails the journal visibly, and what was acknowledged before is there', async () => {
    const dir = await folder();
    const { child, lines, until } = startConfined(dir);
    while (!lines.includes('failed')) await until(lines.length + 1);
    // It lives on and says so, instead of ending by an error that nobody caught.
    while (!lines.some((line) => line.includes('cannot be written'))) await until(lines.length + 1);
    await kill(child);
    const firstFailure = lines.indexOf('failed');
    expect(acks(lines.slice(firstFailure))).toEqual([]);
    expect(acks(lines).length).toBeGreaterThan(100);
    const journal = await open(dir);
    for (const line of acks(lines)) {
      const [device = '', seq] = line.split(' ');
      expect(journal.deviceSeq(device)).toBeGreaterThanOrEqual(Number(seq));
    }
    expect(framesFrom(journal)).toHaveLength(journal.head() - journal.tail());
  });
});
