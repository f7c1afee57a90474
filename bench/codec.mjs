/**
 * What a frame's bytes cost: the guard, decoding to columns, and line protocol, in nanoseconds per reading, beside
 * avsc's fromBuffer and a decoder written by hand for the one schema. `npm run build`, then
 * `node bench/codec.mjs [--quick] [--runs 5] [--write]`.
 */
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { shippedSchema } from '../dist/devices/fleet/encoder.js';
import { compileSchema, SINGLE_OBJECT_HEADER_BYTES as HEADER } from '../dist/src/codec/index.js';
import { ColumnBatch } from '../dist/src/core/index.js';
import { SchemaIndex } from '../dist/src/registry/schema-index.js';
import { BODY_BYTES, BodyPool } from '../dist/src/store/influx/write/body.js';
import { Encoder } from '../dist/src/store/influx/write/encoder.js';
import { Environment, schemaText } from './environment.mjs';
import { decodeByHand, HandColumns } from './hand-decoder.mjs';
import { atMost, count, flag, ratio, report, spread } from './report.mjs';

const quick = process.argv.includes('--quick');
const runs = Number(flag('runs', quick ? 3 : 7));
const RUN_MS = Number(flag('ms', quick ? 150 : 500));
const DEVICES = 200;
const OTHER_SCHEMAS = Number(flag('others', 1_000));
const BODY_POINTS = 5_000;
const TARGETS = { guard: 40, columns: 80, lines: 300 };

const schema = compileSchema(schemaText);
const type = avsc.Type.forSchema(JSON.parse(schemaText));
const nowMs = Date.now();

/** All frames in one block of memory, as the journal reads them. */
function frames(readings) {
  const all = new Environment(DEVICES).frames(readings === 1 ? 50 : 1, readings);
  const block = Buffer.concat(all.map(({ bytes }) => bytes));
  let at = 0;
  return all.map(({ device, bytes }) => {
    const from = at;
    at += bytes.length;
    return { device, bytes: block.subarray(from, at), body: block.subarray(from + HEADER, at) };
  });
}

/** Many other schemas, every one of which has been used. */
function crowd() {
  const index = new SchemaIndex();
  index.add({ id: 1, text: schemaText, compiled: schema });
  for (let n = 0; n < OTHER_SCHEMAS; n++) {
    const other = { ...JSON.parse(schemaText), name: `Environment${n}` };
    const text = JSON.stringify(other);
    const compiled = compileSchema(text);
    index.add({ id: n + 2, text, compiled });
    const bytes = avsc.Type.forSchema(other).toBuffer({ device: null, readings: [] });
    compiled.check(bytes, 0, bytes.length, 'device', nowMs);
    compiled.decode(bytes, 0, bytes.length, new ColumnBatch(compiled.mapping, 1), 'device', nowMs, 0);
  }
  return index;
}

/** What is measured, each as one pass over all frames. */
function work(all, readings) {
  const batch = new ColumnBatch(schema.mapping, all.length * readings);
  const hand = new HandColumns(all.length * readings);
  const pool = new BodyPool();
  const alone = new SchemaIndex();
  alone.add({ id: 1, text: schemaText, compiled: schema });
  const decode = () => {
    batch.clear();
    for (const { bytes, device } of all) schema.decode(bytes, HEADER, bytes.length, batch, device, nowMs, 0);
  };
  const ingest = (index) => () => {
    for (const { bytes, device } of all) {
      const { schema: found, bodyStart } = index.resolve(bytes, 0, bytes.length);
      found.compiled.check(bytes, bodyStart, bytes.length, device, nowMs);
    }
  };
  return {
    guard: () => {
      for (const { bytes, device } of all) schema.check(bytes, HEADER, bytes.length, device, nowMs);
    },
    columns: decode,
    lines: () => {
      decode();
      const from = new Encoder([batch], pool);
      for (
        let body = from.next(BODY_POINTS, BODY_BYTES);
        body !== null;
        body = from.next(BODY_POINTS, BODY_BYTES)
      )
        pool.give(body);
    },
    avsc: () => {
      for (const { body } of all) type.fromBuffer(body);
    },
    hand: () => {
      hand.rows = 0;
      for (const { bytes } of all) decodeByHand(bytes, HEADER, hand);
    },
    found: ingest(alone),
    foundInCrowd: () => {},
    ingest,
  };
}

/** Nanoseconds of each pass, per reading. */
function timed(pass, readingsPerPass) {
  let passes = 0;
  const begin = performance.now();
  let elapsedMs = 0;
  do {
    pass();
    passes++;
    elapsedMs = performance.now() - begin;
  } while (elapsedMs < RUN_MS);
  return (elapsedMs * 1e6) / (passes * readingsPerPass);
}

const results = {};
const version = JSON.parse(
  readFileSync(new URL('../node_modules/avsc/package.json', import.meta.url), 'utf8'),
).version;
for (const readings of [100, 1]) {
  const all = frames(readings);
  const { ingest, ...passes } = work(all, readings);
  // The crowd comes after the others were measured: what it does to the engine's caches then shows.
  const one = (results[readings] = Object.fromEntries(Object.keys(passes).map((key) => [key, []])));
  for (let run = -1; run < runs; run++) {
    for (const [key, pass] of Object.entries(passes)) {
      if (key === 'foundInCrowd') continue;
      const ns = timed(pass, all.length * readings);
      if (run >= 0) one[key].push(ns);
    }
  }
  const inCrowd = ingest(crowd());
  for (let run = -1; run < runs; run++) {
    const ns = timed(inCrowd, all.length * readings);
    if (run >= 0) one.foundInCrowd.push(ns);
  }
}

const of = (readings, key) => spread(results[readings][key]);
const titles = {
  guard: 'guard',
  columns: 'decode to columns',
  lines: 'decode and line protocol',
  avsc: `avsc ${version} fromBuffer`,
  hand: 'decoder written by hand, no checks',
  found: 'schema found, guard',
  foundInCrowd: `schema found among ${count(OTHER_SCHEMAS)} others, guard`,
};
const rows = [100, 1].flatMap((readings) =>
  Object.entries(titles).map(([key, title]) => {
    const { min, median, max } = of(readings, key);
    return [
      `${title}, frames of ${readings}`,
      ...[min, median, max].map((ns) => ns.toFixed(1)),
      count(median * readings),
      ratio(median / of(readings, 'avsc').median),
    ];
  }),
);
const crowdCost = of(1, 'foundInCrowd').median - of(1, 'found').median;
report({
  name: 'codec',
  title: 'From bytes to points, nanoseconds per reading',
  command: `node bench/codec.mjs${quick ? ' --quick' : ''}`,
  columns: ['measured', 'min', 'median', 'max', 'per frame', 'to avsc'],
  rows,
  notes: [
    `Environment frames of the simulated fleet; shipped schema ${shippedSchema('environment.avsc').length} bytes. One thread.`,
    `A thousand other schemas, all used, change a single-reading frame by ${crowdCost.toFixed(0)} ns.`,
  ],
  targets: [
    ...Object.entries(TARGETS).map(([key, target]) =>
      atMost(`${titles[key]}, ns per reading`, of(100, key).median, target),
    ),
    ...['guard', 'columns'].map((key) =>
      atMost(`${titles[key]}, by avsc alone`, of(100, key).median / of(100, 'avsc').median, 1),
    ),
  ],
  data: {
    runs,
    nsPerReading: Object.fromEntries(Object.keys(titles).map((key) => [key, of(100, key)])),
    nsPerSingleFrame: Object.fromEntries(Object.keys(titles).map((key) => [key, of(1, key)])),
    crowdNsPerFrame: crowdCost,
  },
});
