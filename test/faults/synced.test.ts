import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { temporaryFolder } from '../fixtures/folder.ts';
import { describeWith } from '../fixtures/program.ts';
import { until } from '../fixtures/until.ts';
import { seeded } from './harness/asked.ts';
import { withScene } from './harness/scene.ts';
import { breakPromise, judge } from './harness/verdict.ts';

const random = seeded('synced');
const FRAMES = 20;

/**
 * What of a trace came before the n-th ack and after the one before it. A kill leaves the system's page cache as it is,
 * so only the system calls tell whether a commit is on disk.
 */
function betweenAcks(trace: string): string[] {
  return trace.split('\n').reduce<string[]>(
    (parts, line) => {
      if (line.includes('\\"type\\":\\"ack\\"')) parts.push('');
      else parts.push(`${parts.pop()}${line}\n`);
      return parts;
    },
    [''],
  );
}

/** Whether the journal's file itself was synced, and the call came back well, in one line or in two of one thread. */
function syncsJournal(part: string): boolean {
  const begun = new Set<string>();
  for (const line of part.split('\n')) {
    const thread = line.split(' ', 1)[0] ?? '';
    const ended = line.endsWith(' = 0');
    if (/ fdatasync\(\d+<[^>]*\/journal\.lmdb>/.test(line)) {
      if (ended) return true;
      begun.add(thread);
    } else if (ended && line.includes('<... fdatasync resumed>') && begun.has(thread)) return true;
  }
  return false;
}

/** Whether strace may look at processes here. */
const traceable = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
describeWith(traceable, 'strace, and the right to use it', 'an ack', () => {
  test('leaves the server after the journal was synced, each time', () =>
    withScene({ random, devices: 0 }, async ({ gateway, fleet }) => {
      const folder = temporaryFolder();
      const file = join(folder.path, 'trace');
      const calls = 'trace=fdatasync,fsync,msync,write,writev,sendto,sendmsg';
      // An ack leaves from the process that has the connection; the server alone has the journal.
      const traced = [gateway.pid, ...gateway.ingestPids];
      const tracer = spawn(
        'strace',
        ['-f', '-y', '-s', '100', '-e', calls, '-o', file, ...traced.flatMap((pid) => ['-p', String(pid)])],
        { stdio: 'ignore' },
      );
      try {
        await until('the trace', async () => {
          await gateway.text('/healthz');
          return existsSync(file) && readFileSync(file, 'utf8').includes('HTTP/1.1 200');
        });
        fleet.drive(fleet.addDevice('one'));
        // One at a time, so that each ack has a sync of its own.
        for (let i = 0; i < FRAMES; i++) {
          fleet.send(0);
          await fleet.acknowledged();
        }
        const trace = await until('all acks in the trace', () => {
          const text = readFileSync(file, 'utf8');
          return betweenAcks(text).length > FRAMES ? text : undefined;
        });
        const parts = betweenAcks(trace).slice(0, FRAMES);
        const unsynced = parts.filter((part) => !syncsJournal(part));
        if (unsynced.length > 0) {
          breakPromise('acks and syncs', `${unsynced.length} of ${FRAMES} acks left before a sync`);
        }
        expect(parts).toHaveLength(FRAMES);
      } finally {
        tracer.kill('SIGINT');
        await once(tracer, 'exit');
        folder.remove();
      }
      await judge('synced', 'acks and syncs', gateway, fleet);
    }));
});
