/**
 * How long a device waits for its ack, beside the disk's own time for a small write and its sync: a frame a second
 * from each, and at a fifth of the most that this machine acknowledges.
 * `npm run build`, then `node bench/ack.mjs [--devices 1000] [--seconds 30] [--write]`.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFleet, startGateway } from './gateway.mjs';
import { load } from './generator.mjs';
import { atMost, count, flag, report } from './report.mjs';

const devices = Number(flag('devices', 1_000));
const seconds = Number(flag('seconds', 30));
/** Of full load, to warm up and to measure. */
const [warmUpS, fullS] = [1, 2].map((least) => Number(flag('full', Math.max(least, seconds / 10))));
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

const loaded = (to, framesPerS, forSeconds, startMs) =>
  load({
    ...{ port: Number(new URL(to.url).port), path: '/v1/ingest?device={device}', connections: devices },
    ...{ readings: 100, windowFrames: 16, framesPerS, seconds: forSeconds, startMs },
  });

/** A fifth of what is acknowledged per second at full load, by a gateway of its own: nothing of it waits afterwards. */
async function fifthOfFull() {
  const full = await startGateway({ MILLRACE_DATA_DIR: join(dir, 'full') });
  try {
    await loaded(full, 0, warmUpS);
    const { ackedInTime, elapsedS } = await loaded(full, 0, fullS, Date.now() - 1_800_000);
    return Math.round(ackedInTime / elapsedS / 5);
  } finally {
    await full.kill();
    rmSync(join(dir, 'full'), { recursive: true, force: true });
  }
}

/** Percentiles at so many frames a second, and of the disk's syncs meanwhile. */
async function underLoad(framesPerS) {
  // Later than all that is stored: readings that come again would be another load for the store.
  const loading = loaded(gateway, framesPerS, seconds, Date.now() - 1_800_000);
  await new Promise((resolve) => setTimeout(resolve, seconds * 500));
  const syncs = bareSyncs();
  const { ackMsP50, ackMsP99 } = await loading;
  return { framesPerS, ackMsP50, ackMsP99, syncMsP50: at(syncs, 0.5), syncMsP99: at(syncs, 0.99) };
}

const framesPerS = await fifthOfFull();
const gateway = await startGateway({ MILLRACE_DATA_DIR: join(dir, 'data') });
try {
  const syncs = bareSyncs();
  const fleet = startFleet(gateway.url, { devices, rate: 1, readings: READINGS, duration: `${seconds}s` });
  // In the middle too, while the gateway syncs: what the disk gives under this very load.
  await new Promise((resolve) => setTimeout(resolve, seconds * 500));
  const loaded = bareSyncs();
  const summary = await fleet.summary;
  const fifth = await underLoad(framesPerS);
  const data = {
    devices,
    framesPerS: summary.frames_acked / summary.duration_s,
    ackMsP50: summary.ack_ms_p50,
    ackMsP99: summary.ack_ms_p99,
    syncMsP50: at(syncs, 0.5),
    syncMsP99: at(syncs, 0.99),
    loadedSyncMsP50: at(loaded, 0.5),
    loadedSyncMsP99: at(loaded, 0.99),
    fifth,
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
      ['frame to ack at a fifth of full load', fifth.ackMsP50.toFixed(2), fifth.ackMsP99.toFixed(2)],
      ['the disk meanwhile', fifth.syncMsP50.toFixed(2), fifth.syncMsP99.toFixed(2)],
    ],
    notes: [
      `${count(devices)} devices with one frame of ${READINGS} Environment readings a second each, into DuckDB, on the cores that the fleet uses too.`,
      `At a fifth: ${count(fifth.framesPerS)} frames of 100 readings a second.`,
    ],
    targets: [
      atMost('frame to ack, p99 in ms beyond the sync', data.ackMsP99 - data.loadedSyncMsP99, 25),
      atMost('frame to ack at a fifth of full load, p50 in ms', fifth.ackMsP50, 5),
      atMost('its p99 in ms beyond the sync', fifth.ackMsP99 - fifth.syncMsP99, 20),
    ],
    data,
  });
} finally {
  await gateway.stop();
  rmSync(dir, { recursive: true, force: true });
}
