/** Frames of many Environment sensors, as the simulated fleet makes them: each run goes on in time where the last ended. */
import { MODELS } from '../dist/devices/index.js';
import { FrameEncoder, shippedSchema } from '../dist/devices/fleet/encoder.js';

export const schemaText = shippedSchema('environment.avsc');

export class Environment {
  #encoder = new FrameEncoder(schemaText);
  #sources;
  #clockMs;

  constructor(devices, startMs = Date.now() - 30 * 86_400_000) {
    const model = Object.values(MODELS).find(({ name }) => name === 'environment');
    this.#sources = Array.from({ length: devices }, (_, i) => model.create(1, i));
    this.#clockMs = startMs;
  }

  static device(i) {
    return `device-${String(i).padStart(4, '0')}`;
  }

  /** `rounds` frames of each device, `readings` each, as { device, bytes }: all devices' first, then their second. */
  frames(rounds, readings) {
    return Array.from({ length: rounds }, () => this.#round(readings)).flat();
  }

  /**
   * The same in the order in which devices send that write `burst` frames at a time: maps of each device's next burst,
   * one map after the other.
   */
  *bursts(rounds, readings, burst) {
    for (let round = 0; round < rounds; round += burst) {
      const ofDevices = new Map();
      for (const { device, bytes } of this.frames(Math.min(burst, rounds - round), readings)) {
        if (!ofDevices.has(device)) ofDevices.set(device, []);
        ofDevices.get(device).push(bytes);
      }
      yield ofDevices;
    }
  }

  #round(readings) {
    const span = { fromMs: this.#clockMs, untilMs: this.#clockMs + readings * 1_000, count: readings };
    this.#clockMs = span.untilMs;
    return this.#sources.flatMap((source, i) => {
      const record = source.next(span);
      return record === null ? [] : [{ device: Environment.device(i), bytes: this.#encoder.encode(record) }];
    });
  }
}
