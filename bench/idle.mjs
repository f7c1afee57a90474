/**
 * What a device connection that does nothing costs in memory, beside a bare uWebSockets.js receiver.
 * `npm run build`, then `node bench/idle.mjs [--connections 20000] [--edge node] [--write]`: half of them first,
 * then all, and the same with another edge.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rssBytes, startGateway } from './gateway.mjs';
import { atMost, count, flag, report } from './report.mjs';

const MAX_BYTES_PER_CONNECTION = 10 * 1024;
const MAX_BYTES_WITH_OTHER_EDGE = 12 * 1024;
const edge = flag('edge', null);
/** Descriptors that a server needs beside its connections. */
const OTHER_DESCRIPTORS = 100;
const CONNECTIONS_PER_PROCESS = 5_000;
/** Before the first look at the memory: code is compiled, buffers are there. */
const WARM_UP = 500;
/** Looks at the memory, four a second, without a new lowest or highest value: then it has come to rest. */
const STILL_LOOKS = Number(flag('still', 8));

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const hardLimit = Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))[1]);
/** Where the system allows a process fewer descriptors, as many as go. */
const most = Number(flag('connections', 20_000));
const steps = [most / 2, most].map((connections) =>
  Math.min(connections, hardLimit - OTHER_DESCRIPTORS - WARM_UP),
);

/** One process of connections after the other, each with an address of its own. */
class Clients {
  #children = [];
  #options;

  constructor(options) {
    this.#options = options;
  }

  async open(connections) {
    for (let left = connections; left > 0; left -= CONNECTIONS_PER_PROCESS) {
      const number = this.#children.length;
      const options = { ...this.#options, localAddress: `127.0.0.${2 + number}`, name: `idle-${number}` };
      const child = fork(file('idle-clients.mjs'), [JSON.stringify(options)]);
      this.#children.push(child);
      child.send({ open: Math.min(left, CONNECTIONS_PER_PROCESS) });
      await once(child, 'message');
    }
  }

  async sendOneEach() {
    for (const child of this.#children) {
      child.send({ send: true });
      await once(child, 'message');
    }
  }

  async close() {
    for (const child of this.#children.splice(0)) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
}

/** Waits until the memory has come to rest. */
async function settledRss(pid) {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (let still = 0; still < STILL_LOOKS; still++) {
    await pause(250);
    const bytes = rssBytes(pid);
    if (bytes < low || bytes > high) still = 0;
    low = Math.min(low, bytes);
    high = Math.max(high, bytes);
    if (high - low > 32 * 1024 ** 2) low = high = bytes;
  }
  return rssBytes(pid);
}

/** Bytes per connection at each step, after the welcome and after a frame each. */
async function memory(port, pid, path, answers) {
  const clients = new Clients({ port, path, answers });
  await clients.open(WARM_UP);
  await clients.sendOneEach();
  const before = await settledRss(pid);
  const measured = [];
  let open = 0;
  for (const connections of steps) {
    await clients.open(connections - open);
    open = connections;
    const connected = (await settledRss(pid)) - before;
    await clients.sendOneEach();
    const afterFrame = (await settledRss(pid)) - before;
    measured.push({ connections, connected: connected / open, afterFrame: afterFrame / open });
  }
  await clients.close();
  return measured;
}

async function bareMemory() {
  const child = fork(file('prototype.mjs'), [JSON.stringify({ kind: 'bare' })]);
  const [{ port }] = await once(child, 'message');
  try {
    return await memory(port, child.pid, '/{device}', false);
  } finally {
    child.kill('SIGKILL');
  }
}

async function ownMemory(more = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const gateway = await startGateway({ MILLRACE_DATA_DIR: dir, ...more });
  try {
    const port = Number(new URL(gateway.url).port);
    return await memory(port, gateway.pid, '/v1/ingest?device={device}', true);
  } finally {
    await gateway.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

const bare = await bareMemory();
const own = await ownMemory();
const other = edge === null ? [] : await ownMemory({ MILLRACE_EDGE: edge });

const memoryRow = (name, { connections, connected, afterFrame }) => [
  `${name}, ${count(connections)} connections, bytes each`,
  count(connected),
  count(afterFrame),
];
report({
  name: 'idle',
  title: 'What a device connection costs',
  command: `node bench/idle.mjs${edge === null ? '' : ` --edge ${edge}`}`,
  columns: ['measured', 'connected', 'after a frame each'],
  rows: [
    ...bare.map((step) => memoryRow('bare uWebSockets.js receiver', step)),
    ...own.map((step) => memoryRow('Millrace', step)),
    ...other.map((step) => memoryRow(`Millrace with --edge ${edge}`, step)),
  ],
  notes: [
    `Resident memory of the server's process beyond that with ${WARM_UP} connections; the kernel's own is not in it.`,
    ...(hardLimit >= 20_000 + OTHER_DESCRIPTORS
      ? []
      : [`A process may open ${count(hardLimit)} files here, so the larger step is smaller than 20,000.`]),
  ],
  targets: [
    atMost(
      `bytes of an idle connection, of ${count(own[0].connections)}`,
      Math.max(own[0].connected, own[0].afterFrame),
      MAX_BYTES_PER_CONNECTION,
    ),
    ...other
      .slice(0, 1)
      .map(({ connections, connected, afterFrame }) =>
        atMost(
          `bytes of an idle connection with --edge ${edge}, of ${count(connections)}`,
          Math.max(connected, afterFrame),
          MAX_BYTES_WITH_OTHER_EDGE,
        ),
      ),
  ],
  data: { bare, own, ...(edge === null ? {} : { other }) },
});
