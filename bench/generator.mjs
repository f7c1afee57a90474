/** The load generator, load.mjs, from its start to its end. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Runs it with these options; `onReady` is called and awaited when it is connected, before the first frame. Resolves with its counts. */
export function load(options, onReady = () => Promise.resolve()) {
  const counts = run(options, onReady);
  // It may be awaited late: an early end must not pass over what its caller has to clear away.
  counts.catch(() => {});
  return counts;
}

async function run(options, onReady) {
  const child = fork(fileURLToPath(new URL('load.mjs', import.meta.url)), [JSON.stringify(options)]);
  await told(child);
  await onReady();
  child.send('go');
  const counts = await told(child);
  if (child.exitCode === null) await once(child, 'exit');
  return counts;
}

/** The next message of a process; rejects where it ends without one. */
export function told(child) {
  return new Promise((resolve, reject) => {
    const onEnd = (code, signal) => reject(new Error(`a generator ended with ${signal ?? code}`));
    child.once('exit', onEnd);
    child.once('message', (message) => {
      child.off('exit', onEnd);
      resolve(message);
    });
  });
}
