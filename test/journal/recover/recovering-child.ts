/** A process whose journal is made to fail from outside: a device that sends its frames again until each is acked. */
import { writeSync } from 'node:fs';
import { openLocalJournal } from '../../../src/journal/index.ts';

process.on('SIGXFSZ', () => {});
// It ends with the one who started it, also when a tracer is in between.
process.stdin.resume().once('close', () => process.exit(0));
const [dir = ''] = process.argv.slice(2);
const journal = await openLocalJournal({ dir, recoveryMinMs: 20, recoveryMaxMs: 100 });
const say = (line: string): void => void writeSync(1, `${line}\n`);
journal.onStateChange((state) => say(`state ${state} ${journal.stats().reason ?? ''}`));

let reason = journal.stats().reason;
for (;;) {
  // A connection: it ends when the journal fails, and the next one goes on from what is durable.
  await new Promise<void>((resolve) => {
    let acked = journal.deviceSeq('a');
    let sent = acked;
    const timer = setInterval(() => {
      if (journal.stats().reason !== reason && reason !== undefined) say('tried');
      reason = journal.stats().reason;
      if (!journal.accepting() || sent > acked + 5) return;
      sent++;
      journal.append(origin, sent, Buffer.alloc(100_000, sent), 1, Date.now(), null);
    }, 2);
    const origin = {
      device: 'a',
      transport: 'ws' as const,
      onDurable: (seq: number) => {
        acked = seq;
        say(`acked ${seq}`);
      },
      onFailed: () => {
        clearInterval(timer);
        resolve();
      },
    };
  });
}
