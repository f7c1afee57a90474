/**
 * How long a device waits for its ack, beside the disk's own time for a small write and its sync.
 * `npm run build`, then `node bench/ack.mjs [--devices 1000] [--seconds 30] [--write]`.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFleet, startGateway } from './gateway.mjs';
import { count, flag, report } from './report.mjs';

const devices = Number(flag('devices', 1_000));
const seconds = Number(flag('seconds', 30));
const READINGS = 10;
const BLOCK_BYTES = 16 * 1024;
const SYNCS_PER_ROUND = 200;

const dir = mkdtempSync(join(tmpdir(), 'millrace-ack-'));

/** Milliseconds of each of many small writes with their sync. */
function bareSyncs() {
  const file = openSync(join(dir, 'bare'), 'w');
  const block = Buffer.alloc(BLOCK_BYTES, 1);
  const times = [];
  for (let i = 0; i < SYNCS_PER_ROUND; i++) {
    const begin = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    times.push(performance.now() - begin);
  }
  closeSync(file);
  return times;
}

const at = (times, p) => times.toSorted((a, b) => a - b)[Math.floor(times.length * p)];

const gateway = await startGateway({ MILLRACE_DATA_DIR: join(dir, 'data') });
try {
  const syncs = bareSyncs();
  const fleet = startFleet(gateway.url, { devices, rate: 1, readings: READINGS, duration: `${seconds}s` });
  // In the middle too, while the gateway syncs: what the disk gives under this very load.
  await new Promise((resolve) => setTimeout(resolve, seconds * 500));
  const loaded = bareSyncs();
  const summary = await fleet.summary;
  const limit = 25 + at(loaded, 0.99);
  const data = {
    devices,
    framesPerS: summary.frames_acked / summary.duration_s,
    ackMsP50: summary.ack_ms_p50,
    ackMsP99: summary.ack_ms_p99,
    syncMsP50: at(syncs, 0.5),
    syncMsP99: at(syncs, 0.99),
    loadedSyncMsP50: at(loaded, 0.5),
    loadedSyncMsP99: at(loaded, 0.99),
  };
  report({
    name: 'ack',
    title: 'From a frame to its ack',
    command: `node bench/ack.mjs --devices ${devices} --seconds ${seconds}`,
    columns: ['measured', 'p50, ms', 'p99, ms'],
    rows: [
      ['frame to ack, at the device', data.ackMsP50, data.ackMsP99],
      ['bare write and fdatasync, idle disk', data.syncMsP50.toFixed(2), data.syncMsP99.toFixed(2)],
      ['the same during the run', data.loadedSyncMsP50.toFixed(2), data.loadedSyncMsP99.toFixed(2)],
    ],
    notes: [
      `${count(devices)} devices with one frame of ${READINGS} Environment readings a second each, into DuckDB, on the cores that the fleet uses too.`,
      `Target: p99 under 25 ms and the disk's own sync (${limit.toFixed(1)} ms here): ${data.ackMsP99 <= limit ? 'met' : 'not met'}.`,
    ],
    data,
  });
} finally {
  await gateway.stop();
  rmSync(dir, { recursive: true, force: true });
}
