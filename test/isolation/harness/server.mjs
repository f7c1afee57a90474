/** The server under test, and what all of its processes take. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** It is killed beyond this, so that the machine goes on. */
export const MAX_SERVER_BYTES = 4 * 1024 ** 3;
const LOOK_MS = 100;
const STOP_MS = 12_000;

/** A process and all that come from it. */
export function familyOf(pid) {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return [
      pid,
      ...children
        .split(' ')
        .filter(Boolean)
        .flatMap((child) => familyOf(Number(child))),
    ];
  } catch {
    return [];
  }
}

function rssBytes(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Settings of whoever runs this must not reach the server. */
const cleanEnv = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(MILLRACE|INFLUX|MQTT|NATS)_/.test(name)),
  );

/** Starts the build in `dir` on a data folder of its own. */
export async function startServer({ dir, processes = 1, edge = null }) {
  const data = mkdtempSync(join(tmpdir(), 'millrace-isolation-'));
  const child = spawn(process.execPath, [join(dir, 'dist', 'src', 'cli', 'main.js'), 'serve'], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...cleanEnv(),
      MILLRACE_DATA_DIR: data,
      MILLRACE_PORT: '0',
      MILLRACE_LOG_LEVEL: 'warn',
      MILLRACE_PROCESSES: String(processes),
      ...(edge === null ? {} : { MILLRACE_EDGE: edge }),
    },
  });
  // A run that is broken off must not leave a server behind.
  const reap = () => child.kill('SIGKILL');
  process.once('exit', reap);
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    log = (log + text).slice(-64 * 1024);
  });
  const state = { ended: null, stopping: false, peak: 0, now: 0 };
  const exited = once(child, 'exit').then(([code, signal]) => {
    if (!state.stopping) state.ended ??= `the server ended with ${signal ?? code}`;
    return signal ?? code;
  });
  const lines = createInterface({ input: child.stdout });
  const [ready] = await Promise.race([
    once(lines, 'line'),
    exited.then((how) => {
      throw new Error(`the server ended with ${how}:\n${log}`);
    }),
  ]);
  const url = ready.split(' ').at(-1);
  const look = () => {
    const pids = familyOf(child.pid);
    state.now = pids.reduce((sum, pid) => sum + rssBytes(pid), 0);
    state.peak = Math.max(state.peak, state.now);
    if (state.now <= MAX_SERVER_BYTES) return;
    state.ended ??= 'killed beyond 4 GB';
    for (const pid of pids) process.kill(pid, 'SIGKILL');
  };
  const timer = setInterval(look, LOOK_MS);
  look();
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid,
    log: () => log,
    /** Why there is no server any more; null while there is. */
    ended: () => state.ended,
    bytes: () => state.now,
    peakBytes: () => state.peak,
    forgetPeak: () => {
      state.peak = state.now;
    },
    async json(path) {
      const response = await fetch(url + path, { signal: AbortSignal.timeout(30_000) });
      if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
      return response.json();
    },
    async stop() {
      state.stopping = true;
      clearInterval(timer);
      child.kill('SIGTERM');
      const kill = setTimeout(() => {
        for (const pid of familyOf(child.pid)) process.kill(pid, 'SIGKILL');
      }, STOP_MS);
      await exited;
      process.off('exit', reap);
      clearTimeout(kill);
      rmSync(data, { recursive: true, force: true });
    },
  };
}
