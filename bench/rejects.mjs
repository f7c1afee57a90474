/**
 * What refused frames cost, all processes together: devices that send empty messages as fast as their windows let them,
 * and what a device that sends a hundred frames a second beside them waits for its acks. `npm run build`, then
 * `node bench/rejects.mjs [--devices 20] [--seconds 5] [--against FOLDER] [--env JSON]`, where the folder has another
 * version, built.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGateway, rssBytes } from './gateway.mjs';
import { load } from './generator.mjs';
import { flag } from './report.mjs';

const devices = Number(flag('devices', 20));
const seconds = Number(flag('seconds', 5));
const env = JSON.parse(flag('env', '{}'));
const PATH = '/v1/ingest?device={device}';

/** One gateway, with so many devices of empty messages, or of frames, or none. */
async function run(name, folder, rubbish, empty) {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const gateway = await startGateway({ MILLRACE_DATA_DIR: dir, ...env }, folder);
  try {
    const port = Number(new URL(gateway.url).port);
    const honest = load({
      ...{ port, path: '/v1/ingest?device=honest', connections: 1, readings: 1, windowFrames: 1_000 },
      ...{ framesPerS: 100, seconds },
    });
    const flood =
      rubbish === 0
        ? null
        : load({
            port,
            path: PATH,
            connections: rubbish,
            readings: 1,
            windowFrames: 4_096,
            framesPerS: 0,
            seconds,
            empty,
          });
    const cpuBefore = gateway.cpuSeconds();
    const [acks, flooded] = [await honest, await flood];
    const cpuS = gateway.cpuSeconds() - cpuBefore;
    const { received, rejected } = await gateway.json('/v1/ledger');
    const sum = empty ? rejected : received - acks.sent;
    if (flooded !== null && sum !== flooded.sent) throw new Error('the ledger disagrees');
    console.log(
      [
        name.padEnd(24),
        `${Math.round((flooded?.ackedInTime ?? 0) / seconds)} frames/s`.padStart(20),
        (flooded === null ? '' : `${((cpuS * 1e6) / flooded.sent).toFixed(1)} µs of CPU each`).padStart(24),
        `ack p50 ${acks.ackMsP50.toFixed(1)} ms`.padStart(18),
        `p99 ${acks.ackMsP99.toFixed(1)} ms`.padStart(16),
        `${Math.round(rssBytes(gateway.pid) / 1024 ** 2)} MiB`.padStart(10),
      ].join(''),
    );
  } finally {
    await gateway.kill();
    rmSync(dir, { recursive: true, force: true });
  }
}

const folders = [['', '.'], ...(flag('against', null) === null ? [] : [[' (against)', flag('against')]])];
for (const [which, folder] of folders) {
  await run(`alone${which}`, folder, 0, false);
  await run(`${devices} of frames${which}`, folder, devices, false);
  await run(`${devices} empty${which}`, folder, devices, true);
}
