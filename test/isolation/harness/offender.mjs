/**
 * One row of the table as a process of its own, started by fork() with one JSON argument: `program`, `options`, `port`,
 * `slow`, `limit`. It begins at the message `go`, tells `done` where it comes to an end by itself, and its counts at
 * `stop`. `hurry` has a slow reader take the rest at once.
 */
import { setPriority } from 'node:os';

/** It stands for another machine, whose work takes none of the server's processor time. */
const NICE = 10;
const SLOW_SHARE = 0.001;

setPriority(NICE);
const { program, options, port, slow = false, limit } = JSON.parse(process.argv[2]);
const { run } = await import(new URL(`../offenders/${program}.mjs`, import.meta.url));
const counts = {};
const context = {
  port,
  slow,
  share: slow ? SLOW_SHARE : 1,
  counts,
  ...(limit === undefined ? {} : { limit }),
};
let running = null;

process.on('message', (asked) => {
  if (asked === 'go') {
    running = run(context, options);
    void running.done?.then(() => process.send({ done: true, counts }));
  }
  if (asked === 'hurry') running?.hurry?.();
  if (asked === 'counts') process.send({ counts });
  if (asked !== 'stop') return;
  running?.stop();
  process.send({ counts }, () => process.exit(0));
});
process.on('disconnect', () => process.exit(1));
process.send({ ready: true });
