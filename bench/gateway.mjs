/** The built gateway and its simulated fleet as processes of their own, for benchmarks. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const MAIN = 'dist/src/cli/main.js';

/** A process and its children: the gateway has one, the writer. */
export function processesOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? [pid] : [pid, ...children.split(' ').map(Number)];
}

/** Resident memory of a process. */
export function rssBytes(pid) {
  return statusBytes(pid, 'VmRSS');
}

/** Starts `millrace serve` on a free port; `env` are its settings, `cwd` is where its build is. */
export async function startGateway(env, cwd = '.') {
  const child = spawn(process.execPath, [MAIN, 'serve'], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, MILLRACE_PROCESSES: '1', MILLRACE_PORT: '0', MILLRACE_LOG_LEVEL: 'fatal', ...env },
  });
  const [ready] = await once(createInterface({ input: child.stdout }), 'line');
  const url = ready.split(' ').at(-1);
  return {
    url,
    json: async (path) => (await fetch(url + path)).json(),
    pid: child.pid,
    /** User and system time of all its processes since their start. */
    cpuSeconds() {
      const ofAll = processesOf(child.pid).map((pid) => {
        const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
        return (Number(fields[11]) + Number(fields[12])) / 100;
      });
      return ofAll.reduce((sum, seconds) => sum + seconds);
    },
    /** Ends it without letting it write what waits, for runs that are over when all is acknowledged. */
    async kill() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 12_000);
      await ended;
      clearTimeout(timer);
    },
  };
}

function statusBytes(pid, name) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]) * 1024;
}

/** Runs `millrace devices` with the Environment model; `stop()` ends it early and gives its summary. */
export function startFleet(url, { devices, rate, readings, duration = '24h' }) {
  const child = spawn(
    process.execPath,
    [
      ...[MAIN, 'devices', '--url', url.replace('http', 'ws'), '--model', 'environment', '--json'],
      ...['--count', devices, '--rate', rate, '--readings', readings, '--duration', duration].map(String),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const summary = once(createInterface({ input: child.stdout }), 'line').then(([line]) => JSON.parse(line));
  return {
    summary,
    stop() {
      child.kill('SIGINT');
      return summary;
    },
    kill: () => child.kill('SIGKILL'),
  };
}
