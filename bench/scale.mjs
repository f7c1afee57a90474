/**
 * What a frame costs where there is more of everything: many devices compared with few at the same total rate, and a
 * registry of 1,000 schemas compared with the shipped ones. CPU time of the whole gateway, from socket to store.
 * `npm run build`, then `node bench/scale.mjs [--quick] [--rate 5000] [--seconds 15] [--rounds 3] [--write]`.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGateway } from './gateway.mjs';
import { load } from './generator.mjs';
import { atMost, count, flag, ratio, report, spread } from './report.mjs';

const quick = process.argv.includes('--quick');
const framesPerS = Number(flag('rate', 5_000));
const seconds = Number(flag('seconds', quick ? 4 : 15));
const rounds = Number(flag('rounds', quick ? 1 : 3));
const READINGS = 10;
const FEW = Number(flag('few', 500));
const MANY = 10 * FEW;
const SCHEMAS = Number(flag('schemas', 1_000));
/** What ten times the devices may cost; and 1,000 schemas, where the rest is the spread of such figures. */
const TARGETS = { devices: 1.3, schemas: 1.1 };

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-'));

/** The shipped schemas, and so many others that no frame here uses. */
function schemaFolder(others) {
  const folder = join(dir, `schemas-${others}`);
  mkdirSync(folder);
  const shipped = file('../schemas');
  for (const name of readdirSync(shipped)) copyFileSync(join(shipped, name), join(folder, name));
  for (let i = 0; i < others; i++) {
    const fields = [
      { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
      { name: 'site', type: 'string' },
      { name: `value_${i}`, type: 'double' },
    ];
    const schema = { type: 'record', name: `Other${i}`, namespace: 'bench', fields };
    writeFileSync(join(folder, `other-${i}.avsc`), JSON.stringify(schema));
  }
  return folder;
}

/** CPU microseconds of the gateway for each frame. */
async function cpuPerFrame(connections, schemas) {
  const data = mkdtempSync(join(dir, 'data-'));
  const gateway = await startGateway({ MILLRACE_DATA_DIR: data, MILLRACE_SCHEMAS: schemas });
  try {
    const port = Number(new URL(gateway.url).port);
    const options = { port, path: '/v1/ingest?device={device}', windowFrames: 64, readings: READINGS };
    let before;
    const result = await load({ ...options, connections, framesPerS, seconds }, () => {
      before = gateway.cpuSeconds();
    });
    if (result.acked !== result.sent)
      throw new Error(`${result.sent - result.acked} frames were not acknowledged`);
    return ((gateway.cpuSeconds() - before) / result.acked) * 1e6;
  } finally {
    await gateway.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

const row = (name, runs, of) => {
  const { min, median, max } = spread(runs);
  return [name, ...[min, median, max].map((us) => us.toFixed(1)), of === null ? '' : ratio(of.median)];
};

try {
  const small = schemaFolder(0);
  const large = schemaFolder(SCHEMAS);
  const cpuUs = { few: [], many: [], schemas: [] };
  for (let round = 0; round < rounds; round++) {
    cpuUs.few.push(await cpuPerFrame(FEW, small));
    cpuUs.many.push(await cpuPerFrame(MANY, small));
    cpuUs.schemas.push(await cpuPerFrame(FEW, large));
  }
  // Each beside the reference of its own round.
  const toFew = (runs) => spread(runs.map((us, i) => us / cpuUs.few[i]));
  const ratios = { devices: toFew(cpuUs.many), schemas: toFew(cpuUs.schemas) };
  report({
    name: 'scale',
    title: 'What a frame costs with more devices and more schemas',
    command: `node bench/scale.mjs --rate ${framesPerS} --seconds ${seconds} --rounds ${rounds}`,
    columns: ['CPU µs per frame', 'min', 'median', 'max', 'ratio'],
    rows: [
      row(`${count(FEW)} devices, the shipped schemas`, cpuUs.few, null),
      row(`${count(MANY)} devices`, cpuUs.many, ratios.devices),
      row(`${count(FEW)} devices, ${count(SCHEMAS)} more schemas`, cpuUs.schemas, ratios.schemas),
    ],
    notes: [
      `${count(framesPerS)} frames of ${READINGS} Environment readings a second in total, ${rounds} rounds of ${seconds} s, the whole way into DuckDB included.`,
    ],
    targets: [
      atMost(
        'CPU of ten times the devices at the same total rate, ratio',
        ratios.devices.median,
        TARGETS.devices,
      ),
      atMost(`CPU with ${count(SCHEMAS)} more schemas, ratio`, ratios.schemas.median, TARGETS.schemas),
    ],
    data: { cpuUs, ratios },
  });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
