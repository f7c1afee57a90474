/**
 * Readings of one device in one measurement, whose tag keeps one value or changes it from reading to reading: what the
 * order and the number of series cost the store.
 */
import { join } from 'node:path';
import avsc from 'avsc';
import { compileSchema } from '../dist/src/codec/index.js';
import { ColumnBatch } from '../dist/src/core/index.js';
import { openDuckDbStore } from '../dist/src/store/index.js';
import { spread } from './report.mjs';

export const moduleSchema = JSON.stringify({
  type: 'record',
  name: 'Module',
  fields: [
    {
      name: 'readings',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'Reading',
          fields: [
            { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
            { name: 'room', type: 'string' },
            { name: 'v', type: 'double' },
          ],
        },
      },
    },
  ],
});
const READINGS = 1_000;

/** By shape, which room a reading is of. */
const SHAPES = {
  'one series': () => 0,
  'two in turn': (i) => i % 2,
  'a hundred in turn': (i) => i % 100,
  'ten thousand in no order': (i) => (Math.imul(i, 2_654_435_761) >>> 0) % 10_000,
};

/**
 * The rates of decoding and storing `rows` readings of each shape, one write each, as ratios to those of one series just
 * before; `runs` of them after one to warm up.
 */
export async function measureShapes(dir, rows, runs) {
  const schema = compileSchema(moduleSchema);
  const encoder = avsc.Type.forSchema(JSON.parse(moduleSchema));
  const batch = new ColumnBatch(schema.mapping);
  const stores = {};
  for (const [n, shape] of Object.keys(SHAPES).entries()) {
    stores[shape] = await openDuckDbStore({ path: join(dir, `shape-${n}.duckdb`) });
  }
  const ratios = Object.fromEntries(Object.keys(SHAPES).map((shape) => [shape, []]));
  let atMs = Date.now() - 30 * 86_400_000;
  let position = 0;

  const rate = async (shape) => {
    const frames = Array.from({ length: Math.ceil(rows / READINGS) }, (_, frame) =>
      encoder.toBuffer({
        readings: Array.from({ length: READINGS }, (__, i) => ({
          time: atMs++,
          room: `room-${SHAPES[shape](frame * READINGS + i)}`,
          v: Math.random(),
        })),
      }),
    );
    const begin = performance.now();
    batch.clear();
    for (const bytes of frames) schema.decode(bytes, 0, bytes.length, batch, 'module', 0, position++);
    const refused = await stores[shape].write([batch], { epoch: 'bench', position, refused: [] });
    if (refused.length > 0) throw new Error(refused[0].message);
    return batch.rows / (performance.now() - begin);
  };
  for (let run = -1; run < runs; run++) {
    for (const shape of Object.keys(SHAPES)) {
      const one = await rate('one series');
      const ratio = (await rate(shape)) / one;
      if (run >= 0) ratios[shape].push(ratio);
    }
  }
  for (const store of Object.values(stores)) await store.close();
  return Object.fromEntries(Object.entries(ratios).map(([shape, values]) => [shape, spread(values)]));
}
