import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NO_READINGS } from '../../../src/core/index.ts';
import { openJournalOn } from '../../../src/journal/local/open.ts';
import { openStorage } from '../../../src/journal/local/lmdb/lmdb-storage.ts';
import { bundled } from '../../fixtures/bundled.ts';
import { findProgram } from '../../fixtures/program.ts';
import { until } from '../../fixtures/until.ts';
import { FaultyStorage } from '../faulty-storage.ts';
import { Connection, folder, framesFrom, letter, open, text } from '../harness.ts';

const noSpace = new Error('No space left on device');

async function faulty(dir: string) {
  const storage = new FaultyStorage(openStorage(dir, 1e9, Date.now()));
  const journal = await openJournalOn(storage, { blockBytes: 1_000, recoveryMinMs: 5, recoveryMaxMs: 40 });
  const states: string[] = [];
  journal.onStateChange((state, accepting) => states.push(`${state} ${accepting}`));
  const settle = (position: number, stored: number, from = 0) =>
    journal.settle({
      from,
      position,
      stored: { ...NO_READINGS, ws: stored },
      expired: NO_READINGS,
      deadLetters: [],
    });
  return { storage, journal, states, settle };
}

const isOpen = (journal: { accepting(): boolean }) =>
  until('the journal takes frames', () => journal.accepting());

describe('a journal whose commit failed', () => {
  test('takes frames again by itself, numbered from what is durable, with no hole and nothing of the failed commit', async () => {
    const dir = await folder();
    const { journal, storage, states, settle } = await faulty(dir);
    const [a, b] = [new Connection('a'), new Connection('b')];
    journal.append(a, 1, text('a1'), 1, Date.now(), null);
    await journal.flush();

    storage.failWith(noSpace);
    journal.append(a, 2, text('lost'), 1, 1, null);
    journal.reject(b, 1, letter('b'));
    await expect(journal.flush()).rejects.toMatchObject({ code: 'journal_failed' });
    await expect(settle(1, 1)).rejects.toMatchObject({ code: 'journal_failed' });
    expect([a.failures, b.failures]).toEqual([1, 1]);
    await until('some tries', () => storage.probes >= 3);
    expect(journal.accepting()).toBe(false);
    expect(journal.stats()).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('No space left'),
    });
    expect(framesFrom(journal)).toMatchObject([{ text: 'a1' }]);

    storage.failWith(null);
    await isOpen(journal);
    expect(states).toEqual(['failed false', 'open true']);
    expect(journal.stats().reason).toBeUndefined();
    expect([journal.deviceSeq('a'), journal.deviceSeq('b')]).toEqual([1, 0]);
    const again = new Connection('a');
    journal.append(again, 2, text('a2'), 1, Date.now(), null);
    await journal.flush();
    await settle(2, 2);
    expect(again.acked).toBe(2);
    expect(journal.ledger()).toMatchObject({ received: 2, stored: 2, pending: 0, rejected: 0 });
    await journal.close();
    expect(framesFrom(await open(dir))).toMatchObject([
      { position: 0, seq: 1, text: 'a1' },
      { position: 1, seq: 2, text: 'a2' },
    ]);
  });

  test('goes on behind a commit that was reported as failed and is on disk', async () => {
    const { journal, storage } = await faulty(await folder());
    const heads: number[] = [];
    journal.onCommit((head) => heads.push(head));
    const device = new Connection('a');
    storage.failWith(new Error('Input/output error'), true);
    journal.append(device, 1, text('one'), 1, 1, null);
    journal.append(device, 2, text('two'), 1, 1, null);
    await expect(journal.flush()).rejects.toMatchObject({ code: 'journal_failed' });
    expect(device.acked).toBe(0);
    storage.failWith(null);
    await isOpen(journal);
    // Not acknowledged then, so it is sent again: the welcome says from where on.
    expect(journal.deviceSeq('a')).toBe(2);
    expect(heads).toEqual([2]);
    expect(journal.ledger()).toMatchObject({ received: 2, pending: 2 });
    const again = new Connection('a');
    journal.append(again, 3, text('three'), 1, 1, null);
    await journal.flush();
    expect(framesFrom(journal).map((frame) => frame.text)).toEqual(['one', 'two', 'three']);
    await journal.close();
  });

  test('counts no reading twice whose settlement was reported as failed and is on disk', async () => {
    const { journal, storage, settle } = await faulty(await folder());
    const device = new Connection('a');
    for (let seq = 1; seq <= 4; seq++) journal.append(device, seq, text(`${seq}`), 5, 1, null);
    await journal.flush();
    storage.failWith(new Error('Input/output error'), true);
    await expect(settle(2, 10)).rejects.toMatchObject({ code: 'journal_failed' });
    storage.failWith(null);
    await isOpen(journal);
    expect(journal.settledPosition()).toBe(2);
    // Counted from where the failure left it: two of its frames are settled already.
    await expect(settle(4, 20)).rejects.toThrow(/done up to 2/);
    expect(journal.ledger()).toMatchObject({ received: 20, stored: 10, pending: 10 });
    await settle(2, 10);
    await settle(4, 10, 2);
    expect(journal.ledger()).toMatchObject({ received: 20, stored: 20, pending: 0 });
    await journal.close();
  });

  test('keeps a content of the failed commit no duplicate', async () => {
    const { journal, storage } = await faulty(await folder());
    const request = new Connection('a', 'http');
    storage.failWith(noSpace);
    expect(journal.append(request, 1, text('x'), 1, 1, 'content')).toBe(true);
    await expect(journal.flush()).rejects.toMatchObject({ code: 'journal_failed' });
    storage.failWith(null);
    await isOpen(journal);
    expect(journal.append(new Connection('a', 'http'), 1, text('x'), 1, 1, 'content')).toBe(true);
    expect(journal.append(new Connection('a', 'http'), 1, text('x'), 1, 1, 'content')).toBe(false);
    await journal.flush();
    expect(journal.ledger()).toMatchObject({ received: 2, duplicates: 1, pending: 1 });
    await journal.close();
  });

  test('whose files cannot be opened either tries on, and closes in between', async () => {
    const { journal, storage } = await faulty(await folder());
    storage.failWith(noSpace);
    storage.failReopenWith(new Error('Too many open files'));
    journal.append(new Connection('a'), 1, text('x'), 1, 1, null);
    await expect(journal.flush()).rejects.toMatchObject({ code: 'journal_failed' });
    await until('some tries', () => storage.reopened >= 3);
    expect(journal.stats().reason).toContain('Too many open files');
    storage.failReopenWith(null);
    storage.failWith(null);
    await isOpen(journal);
    storage.failWith(noSpace);
    journal.append(new Connection('a'), 1, text('x'), 1, 1, null);
    await expect(journal.flush()).rejects.toMatchObject({ code: 'journal_failed' });
    await journal.close();
    const tries = storage.reopened;
    const other = await faulty(await folder());
    other.storage.failWith(noSpace);
    other.journal.append(new Connection('a'), 1, text('x'), 1, 1, null);
    await expect(other.journal.flush()).rejects.toMatchObject({ code: 'journal_failed' });
    await until('as many tries of another one', () => other.storage.reopened >= 4);
    await other.journal.close();
    expect(storage.reopened).toBe(tries);
  });

  test('whose file is away for a moment, as a volume may be, goes on when it is back', async () => {
    const dir = await folder();
    const { journal, storage } = await faulty(dir);
    journal.append(new Connection('a'), 1, text('one'), 1, 1, null);
    await journal.flush();
    const file = join(dir, 'journal.lmdb');
    storage.failWith(new Error('Input/output error'));
    journal.append(new Connection('a'), 2, text('x'), 1, 1, null);
    renameSync(file, `${file}.away`);
    await expect(journal.flush()).rejects.toMatchObject({ code: 'journal_failed' });
    await until('some tries', () => storage.reopened >= 3);
    expect(journal.stats().reason).toContain('was deleted or moved away');
    renameSync(`${file}.away`, file);
    storage.failWith(null);
    await isOpen(journal);
    expect(framesFrom(journal)).toMatchObject([{ text: 'one' }]);
    await journal.close();
  });

  test('stays failed when another process has taken over', async () => {
    const dir = await folder();
    const { journal, storage } = await faulty(dir);
    storage.failWith(noSpace);
    journal.append(new Connection('a'), 1, text('x'), 1, 1, null);
    const successor = await open(dir);
    await expect(journal.flush()).rejects.toMatchObject({ code: 'journal_failed' });
    storage.failWith(null);
    await until('a try', () => journal.stats().reason?.includes('another process') === true);
    const device = new Connection('a');
    successor.append(device, 1, text('y'), 1, 1, null);
    await successor.flush();
    expect(device.acked).toBe(1);
    expect(storage.reopened).toBe(1);
    await journal.close();
  });
});

describe('real faults', () => {
  let program: Awaited<ReturnType<typeof bundled>>;
  beforeAll(async () => {
    program = await bundled('test/journal/recover/recovering-child.ts');
  });
  afterAll(() => program.remove());

  /** Appends until a commit fails, then goes on where it is told to; tells each ack on stdout. */
  function start(command: string, args: readonly string[]) {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const acked = () => Number(lines.findLast((line) => line.startsWith('acked'))?.slice(6) ?? 0);
    const stop = async () => {
      child.stdin.end();
      await exited;
    };
    return { pid: child.pid, lines, acked, stop };
  }

  async function everyAckIsThere(dir: string, acked: number): Promise<void> {
    const journal = await open(dir);
    const frames = framesFrom(journal);
    expect(journal.deviceSeq('a')).toBeGreaterThanOrEqual(acked);
    expect(frames.map(({ seq }) => seq)).toEqual(Array.from({ length: frames.length }, (_, i) => i + 1));
    expect(frames.length).toBe(journal.deviceSeq('a'));
    expect(journal.ledger()).toMatchObject({ received: frames.length, pending: frames.length });
  }

  describeIf(findProgram('prlimit') !== null, 'prlimit', 'a file that may not grow', () => {
    test('fails commits until the limit is lifted, then the same process goes on', async () => {
      const dir = await folder();
      const child = start('prlimit', ['--fsize=3000000:unlimited', process.execPath, program.path, dir]);
      try {
        const reason = await until('a failure', () =>
          child.lines.find((line) => line.startsWith('state failed')),
        );
        expect(reason).toMatch(/cannot be written: .*\d+ MB free/);
        const before = child.acked();
        expect(before).toBeGreaterThan(0);
        await until('a try that fails', () => child.lines.includes('tried'));
        expect(child.acked()).toBe(before);
        const lift = start('prlimit', ['--pid', `${child.pid}`, '--fsize=unlimited:unlimited']);
        await until('frames to be taken again', () => child.acked() > before + 20);
        await lift.stop();
      } finally {
        await child.stop();
      }
      await everyAckIsThere(dir, child.acked());
    }, 30_000);
  });

  describeIf(canMount(), 'the right to mount a tmpfs', 'a full disk', () => {
    test('fails commits until there is room again, then the same process goes on', async () => {
      const dir = await folder();
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', dir]);
      try {
        writeFileSync(join(dir, 'ballast'), Buffer.alloc(6 * 1024 * 1024));
        const child = start(process.execPath, [program.path, dir]);
        try {
          const reason = await until('a failure', () =>
            child.lines.find((line) => line.startsWith('state failed')),
          );
          expect(reason).toMatch(/\([01] MB free\)/);
          await until('a try that fails', () => child.lines.includes('tried'));
          const before = child.acked();
          rmSync(join(dir, 'ballast'));
          await until('frames to be taken again', () => child.acked() > before + 20);
        } finally {
          await child.stop();
        }
        const copy = await folder();
        cpSync(dir, copy, { recursive: true });
        await everyAckIsThere(copy, child.acked());
      } finally {
        execFileSync('umount', [dir]);
      }
    }, 30_000);
  });

  describeIf(canTrace(), 'strace and the right to trace', 'a disk that refuses', () => {
    test.each([
      ['the sync of the data', 'fdatasync:error=EIO:when=6..8'],
      ['the sync of the data, for want of space', 'fdatasync:error=ENOSPC:when=6..7'],
      ['writes of several pages', 'writev:error=ENOSPC:when=5..9'],
    ])(
      '%s: nothing of it is acknowledged, and the same process goes on',
      async (_, fault) => {
        const dir = await folder();
        // The calls of each thread are counted, and those that create the files are not meant.
        await (await open(dir)).close();
        const calls = fault.split(':')[0] ?? '';
        const args = ['-f', '-qq', '-e', `trace=${calls}`, '-e', `inject=${fault}`, '-o', '/dev/null'];
        const child = start('strace', [...args, process.execPath, program.path, dir]);
        try {
          await until('a failure', () => child.lines.find((line) => line.startsWith('state failed')));
          const failed = child.lines.findIndex((line) => line.startsWith('state failed'));
          const last = child.lines.slice(0, failed).findLast((line) => line.startsWith('acked'));
          const before = Number(last?.slice(6) ?? 0);
          await until('frames to be taken again', () => child.acked() > before + 20);
        } finally {
          await child.stop();
        }
        await everyAckIsThere(dir, child.acked());
      },
      60_000,
    );
  });
});

/** These faults need rights that a machine may not give; the same paths are tested above without. */
function describeIf(possible: boolean, need: string, name: string, body: () => void): void {
  if (possible) describe(name, body);
  else process.stderr.write(`not possible here: "${name}" needs ${need}\n`);
}

function canTrace(): boolean {
  try {
    execFileSync('strace', ['-o', '/dev/null', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function canMount(): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir], { stdio: 'ignore' });
    execFileSync('umount', [dir], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(dir);
  }
}
