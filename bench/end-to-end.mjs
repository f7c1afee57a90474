/** The whole way: frames from a fleet in a process of its own through a gateway, until a count query sees all. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { told } from './generator.mjs';

/**
 * A fleet of a process of its own, connected, with its frames ready. `run()` sends them and resolves when all were
 * acknowledged, with the seconds until then and its own CPU seconds.
 */
export async function startStream(options) {
  const child = fork(fileURLToPath(new URL('stream.mjs', import.meta.url)), [JSON.stringify(options)]);
  const { frames } = await told(child);
  return {
    frames,
    async run() {
      child.send('go');
      return told(child);
    },
  };
}

/** Between two looks at the ledger, in milliseconds: each costs the gateway some CPU, and a late one time. */
const LOOKS_MS = { min: 5, max: 50 };

/**
 * From the first frame sent until a count query sees all, through a gateway that is otherwise idle: rows per second,
 * those acknowledged per second, and CPU seconds of the gateway and of the fleet per million rows.
 */
export async function endToEnd(gateway, { devices, rounds, readings, startMs, burst = 1 }) {
  const before = (await gateway.json('/v1/ledger')).stored;
  const port = Number(new URL(gateway.url).port);
  const stream = await startStream({ port, devices, rounds, readings, startMs, burst });
  const rows = stream.frames * readings;
  const cpu = gateway.cpuSeconds();
  const begin = performance.now();
  const sent = stream.run();
  await Promise.race([stored(gateway, before, rows), sent.then(() => new Promise(() => {}))]);
  const cpuS = gateway.cpuSeconds() - cpu;
  const from = new Date(startMs - 1).toISOString();
  const to = new Date(startMs + rounds * readings * 1_000 + 1).toISOString();
  const answer = await gateway.json(
    `/v1/query?measurement=environment&fn=count&field=ok&from=${from}&to=${to}`,
  );
  const elapsedS = (performance.now() - begin) / 1_000;
  if (answer.rows?.[0]?.[1] !== rows) throw new Error(`${rows} rows sent, ${JSON.stringify(answer)} found`);
  const fleet = await sent;
  return {
    rows,
    rowsPerS: rows / elapsedS,
    ackedPerS: rows / fleet.elapsedS,
    cpuS: cpuS * (1e6 / rows),
    fleetCpuS: fleet.cpuS * (1e6 / rows),
  };
}

/** Waits until so many rows are stored; looks more often towards the end, by the rate so far. */
async function stored(gateway, before, rows) {
  const begin = performance.now();
  for (;;) {
    const done = (await gateway.json('/v1/ledger')).stored - before;
    if (done >= rows) return;
    const leftMs = done === 0 ? LOOKS_MS.max : ((performance.now() - begin) * (rows - done)) / done;
    const waitMs = Math.min(LOOKS_MS.max, Math.max(LOOKS_MS.min, leftMs / 4));
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}
