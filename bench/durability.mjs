/**
 * What durability costs: readings acknowledged per second by the journal with its sync, beside the same journal
 * without, and beside bare write + fdatasync of as many bytes per commit. The three take turns, because a shared
 * disk changes from minute to minute. `npm run build`, then
 * `node bench/durability.mjs [--seconds 3] [--rounds 5] [--write]`.
 */
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournalOn } from '../dist/src/journal/local/open.js';
import { openStorage } from '../dist/src/journal/local/lmdb/lmdb-storage.js';
import { atLeast, count, flag, megabytes, ratio, report, spread } from './report.mjs';
import { openUnsynced } from './unsynced-storage.mjs';

const ms = (value) => `${value.toFixed(1)} ms`;
const seconds = Number(flag('seconds', 3));
const rounds = Number(flag('rounds', 5));
const DEVICES = 1_000;
const MAX_BYTES = 64 * 1024 ** 3;
/** A frame of one and of a hundred Environment readings is about so large. */
const SHAPES = [
  { name: '1 reading, 40 B', frameBytes: 40, readings: 1 },
  { name: '100 readings, 2.4 KB', frameBytes: 2_400, readings: 100 },
];

const dir = mkdtempSync(join(tmpdir(), 'millrace-durability-'));
const turn = () => new Promise((resolve) => setImmediate(resolve));
const at = (times, p) => times.toSorted((a, b) => a - b)[Math.floor(times.length * p)];

/** Counts the commits of a storage, and how long each took. */
function watched(storage) {
  const commits = { times: [], bytes: 0 };
  const commit = storage.commit.bind(storage);
  storage.commit = async (change) => {
    const begin = performance.now();
    await commit(change);
    commits.times.push(performance.now() - begin);
    for (const { bytes } of change.blocks) commits.bytes += bytes.length;
  };
  return commits;
}

/** Appends as fast as the journal accepts, for `seconds`; what counts is what was acknowledged. */
async function journal(open, { frameBytes, readings }) {
  const folder = join(dir, 'journal');
  mkdirSync(folder);
  const storage = open(folder);
  const commits = watched(storage);
  const log = await openJournalOn(storage, { maxBytes: MAX_BYTES });
  let acked = 0;
  const ages = [];
  const devices = Array.from({ length: DEVICES }, (_, i) => {
    let durable = 0;
    const sent = [];
    return {
      device: `device-${i}`,
      transport: 'ws',
      seq: 0,
      sent,
      onDurable(seq) {
        acked += seq - durable;
        durable = seq;
        if (sent.length > 0 && sent[0].seq <= seq) ages.push(performance.now() - sent.shift().ms);
      },
      onFailed() {
        throw new Error('the journal failed');
      },
    };
  });
  const bytes = Buffer.alloc(frameBytes, 1);
  const begin = performance.now();
  let frames = 0;
  while (performance.now() - begin < seconds * 1_000) {
    for (let i = 0; i < 1_000 && log.accepting(); i++) {
      const device = devices[frames++ % DEVICES];
      log.append(device, ++device.seq, bytes, readings, 1_700_000_000_000);
      // One frame in a while tells how long an ack took.
      if (device.sent.length === 0) device.sent.push({ seq: device.seq, ms: performance.now() });
    }
    await turn();
  }
  await log.flush();
  const elapsedS = (performance.now() - begin) / 1_000;
  await log.close();
  rmSync(folder, { recursive: true, force: true });
  return {
    readingsPerS: (acked * readings) / elapsedS,
    ackMsP50: at(ages, 0.5),
    ackMsP99: at(ages, 0.99),
    commitMsP50: at(commits.times, 0.5),
    commitBytes: commits.bytes / commits.times.length,
    bytesPerReading: commits.bytes / (acked * readings),
  };
}

/** The rate at which the disk alone takes as many bytes, synced in portions of `portionBytes`. */
function bareFile({ commitBytes, bytesPerReading }) {
  const path = join(dir, 'bare');
  const file = openSync(path, 'w');
  const portion = Buffer.alloc(Math.round(commitBytes), 1);
  const begin = performance.now();
  let written = 0;
  while (performance.now() - begin < seconds * 1_000) {
    writeSync(file, portion);
    fdatasyncSync(file);
    written += portion.length;
  }
  const elapsedS = (performance.now() - begin) / 1_000;
  closeSync(file);
  rmSync(path);
  return { readingsPerS: written / bytesPerReading / elapsedS };
}

const rows = [];
const data = {};
try {
  for (const shape of SHAPES) {
    const runs = [];
    // The first round warms up and is dropped.
    for (let round = 0; round <= rounds; round++) {
      const synced = await journal((folder) => openStorage(folder, MAX_BYTES, Date.now()), shape);
      const unsynced = await journal(openUnsynced, shape);
      const bare = bareFile(synced);
      if (round > 0) runs.push({ synced, unsynced, bare });
    }
    const rate = (kind) => spread(runs.map((run) => run[kind].readingsPerS));
    const toUnsynced = spread(runs.map((run) => run.synced.readingsPerS / run.unsynced.readingsPerS));
    const toBare = spread(runs.map((run) => run.synced.readingsPerS / run.bare.readingsPerS));
    const middle = (key) => spread(runs.map((run) => run.synced[key])).median;
    const line = (name, { min, median, max }, of) =>
      rows.push([`${shape.name}: ${name}`, count(min), count(median), count(max), of]);
    line('journal, synced', rate('synced'), '1');
    line('journal, not synced', rate('unsynced'), ratio(toUnsynced.median));
    line('bare write + fdatasync', rate('bare'), ratio(toBare.median));
    data[shape.name] = {
      synced: rate('synced'),
      unsynced: rate('unsynced'),
      bare: rate('bare'),
      syncedToUnsynced: toUnsynced,
      syncedToBare: toBare,
      commitMegabytes: Number(megabytes(middle('commitBytes'))),
      commitMsP50: middle('commitMsP50'),
      ackMsP50: middle('ackMsP50'),
      ackMsP99: middle('ackMsP99'),
    };
  }
  report({
    name: 'durability',
    title: 'What the sync costs the journal',
    command: `node bench/durability.mjs --seconds ${seconds} --rounds ${rounds}`,
    columns: ['readings/s, at full load', 'min', 'median', 'max', 'synced journal ÷ this'],
    rows,
    notes: SHAPES.map(({ name }) => {
      const { commitMegabytes, commitMsP50, ackMsP50, ackMsP99 } = data[name];
      return `Synced, ${name}: commits of ${commitMegabytes} MiB in ${ms(commitMsP50)}; acks after ${ms(ackMsP50)}, at the 99th percentile ${ms(ackMsP99)}.`;
    }),
    targets: SHAPES.map(({ name }) =>
      atLeast(
        `the synced journal by one that does not sync, ${name}`,
        data[name].syncedToUnsynced.median,
        0.8,
      ),
    ),
    data,
  });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
