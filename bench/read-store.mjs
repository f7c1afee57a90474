/** A store of Environment rows for benchmarks of reads: made column by column, in the order in which frames would come. */
import { compileSchema } from '../dist/src/codec/index.js';
import { ColumnBatch, LIMITS } from '../dist/src/core/index.js';
import { openDuckDbStore } from '../dist/src/store/index.js';
import { schemaText } from './environment.mjs';

/** Readings of one frame: rows of a device that stand together. */
const READINGS = 10;
const NS_PER_MS = 1_000_000n;

const { mapping } = compileSchema(schemaText);
export const measurement = {
  name: mapping.measurement,
  doc: null,
  tags: mapping.columns.filter(({ role }) => role === 'tag'),
  fields: mapping.columns.filter(({ role }) => role === 'field'),
  subjects: ['environment'],
};
export const deviceName = (i) => `device-${String(i).padStart(5, '0')}`;

/** `rows` readings of `devices` over `days` days up to now, each device at its own pace's times. */
export class ReadStore {
  rows = 0;
  #position = 0;
  #step = 0;

  constructor({ path, rows, devices, days }) {
    this.path = path;
    this.devices = devices;
    this.stepMs = Math.max(1, Math.floor((days * 86_400_000 * devices) / rows));
    this.toMs = Math.floor(Date.now() / 1_000) * 1_000;
    this.fromMs = this.toMs - this.stepMs * Math.ceil(rows / devices);
  }

  open() {
    return openDuckDbStore({ path: this.path });
  }

  /** Writes on until the store has so many rows. */
  async fill(store, rows) {
    while (this.rows < rows) {
      const batch = new ColumnBatch(mapping, LIMITS.storeBatchRows);
      while (this.rows < rows && batch.rows + this.devices * READINGS <= LIMITS.storeBatchRows)
        this.#round(batch);
      const position = { epoch: 'bench', position: ++this.#position, refused: [] };
      const refused = await store.write([batch], position);
      if (refused.length > 0) throw new Error(refused[0].message);
    }
  }

  /** A frame of each device. */
  #round(batch) {
    batch.reserve(this.devices * READINGS);
    for (let device = 0; device < this.devices; device++) {
      const name = deviceName(device);
      for (let reading = 0; reading < READINGS; reading++) {
        const row = batch.rows++;
        const step = this.#step + reading;
        const angle = (step * this.stepMs) / 13_750_987 + device;
        batch.timeNs[row] = BigInt(this.fromMs + step * this.stepMs + (device % 1_000)) * NS_PER_MS;
        batch.device[row] = name;
        const [temperature, humidity, pressure, battery, ok] = batch.columns;
        const noise = ((step * 7_919 + device * 104_729) % 1_009) / 10_090;
        temperature.values[row] = Math.fround(Math.round((20 + 6 * Math.sin(angle) + noise) * 100) / 100);
        humidity.values[row] = Math.fround(Math.round((50 - 12 * Math.sin(angle) + noise * 9) * 10) / 10);
        pressure.values[row] = Math.fround(Math.round((1_012 + 8 * Math.cos(angle / 3) + noise) * 10) / 10);
        battery.values[row] = Math.fround(Math.round((3.6 - step * 1e-6) * 1_000) / 1_000);
        ok.values[row] = 1;
        this.rows++;
      }
    }
    this.#step += READINGS;
  }
}
