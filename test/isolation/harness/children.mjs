/** Processes of the suite: the offenders and the observer. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const STOP_MS = 5_000;

/** Forks a program of this folder; resolves when it is ready. `messages` are told one after the other. */
export async function start(program, options, onMessage = () => {}) {
  const file = fileURLToPath(new URL(program, import.meta.url));
  const child = fork(file, [JSON.stringify(options)]);
  const ended = once(child, 'exit');
  let ready;
  const isReady = new Promise((resolve, reject) => {
    ready = resolve;
    void ended.then(([code, signal]) => reject(new Error(`${program} ended with ${signal ?? code}`)));
  });
  isReady.catch(() => {});
  child.on('message', (message) => (message.ready === true ? ready() : onMessage(message)));
  await isReady;
  return { child, ended };
}

/** An offender that waits for `go()`. */
export async function startOffender({ program, options }, { port, slow = false, limit }) {
  let counts = {};
  let finish;
  const done = new Promise((resolve) => {
    finish = resolve;
  });
  const { child, ended } = await start('offender.mjs', { program, options, port, slow, limit }, (message) => {
    if (message.counts !== undefined) counts = message.counts;
    if (message.done === true) finish();
  });
  const tell = (what) => child.connected && child.send(what);
  return {
    go: () => tell('go'),
    hurry: () => tell('hurry'),
    /** Resolves where it has done all that it came for. */
    done,
    /** Ends it and its connections, and gives what it counted. */
    async stop() {
      tell('stop');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(timer);
      return counts;
    },
  };
}
