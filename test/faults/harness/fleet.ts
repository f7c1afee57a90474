import { randomUUID } from 'node:crypto';
import type { Random } from '../../../devices/random.ts';
import { newOutbox } from '../../../src/client/index.ts';
import { environmentFrame } from '../../fixtures/environment-frames.ts';
import { until } from '../../fixtures/until.ts';
import { PATIENCE_MS } from './asked.ts';
import { breakPromise } from './verdict.ts';
import type { OddKind } from './odd-frames.ts';
import { ClientDriver, DeviceModel, PlainDriver, type Driver, type Frame, type Reading } from './device.ts';

export interface FleetOptions {
  random: Random;
  wsUrl: string;
  /** At most 16. Every second one uses the client library. */
  devices: number;
  /** Part of the frames that are bad. */
  badPart: number;
  /** Devices of their own kind among them. */
  odd?: readonly OddKind[];
}

/** Readings lie two milliseconds apart, from an hour ago on. */
const STEP_MS = 2;
const MAX_READINGS = 10;
/** That a device sends at a moment. */
const CHANCE = 0.7;
const FRAME_EVERY_MS = 4;
/** Readings whose order may be mixed. */
const MIX = 64;

/**
 * Devices that stream while the server under them is treated badly. All readings of all devices differ in
 * value, and those of one device in time, so that each can be found again in the store.
 */
export class Fleet {
  readonly run = randomUUID();
  readonly models: DeviceModel[] = [];
  readonly drivers: Driver[] = [];
  readonly #random: Random;
  readonly #wsUrl: string;
  readonly #badPart: number;
  readonly #startMs = Date.now() - 3_600_000;
  readonly #readings: number[] = [];
  readonly #odd = new Map<number, OddKind>();
  #timer: NodeJS.Timeout | null = null;

  constructor({ random, wsUrl, devices, badPart, odd = [] }: FleetOptions) {
    this.#random = random;
    this.#wsUrl = wsUrl;
    this.#badPart = badPart;
    for (let i = 0; i < devices; i++) {
      const model = new DeviceModel(`device-${i}`, i % 2 === 0 ? null : newOutbox().id);
      this.models.push(model);
      this.#readings.push(0);
      this.drivers.push(
        i % 2 === 0
          ? new PlainDriver(model, wsUrl)
          : new ClientDriver(model, wsUrl, () => 0.05 * random.uniform()),
      );
    }
    for (const kind of odd) this.#addOdd(kind);
  }

  #addOdd(kind: OddKind): void {
    this.#odd.set(this.models.length, kind);
    this.drive(this.addDevice(kind.device));
  }

  /** A device that the caller moves by hand, until `drive`. */
  addDevice(id: string): DeviceModel {
    const model = new DeviceModel(id);
    this.models.push(model);
    this.#readings.push(0);
    return model;
  }

  drive(model: DeviceModel): void {
    this.drivers[this.models.indexOf(model)] = new PlainDriver(model, this.#wsUrl);
  }

  /** Sends frames until `pause()`. */
  stream(): void {
    this.#timer ??= setInterval(() => {
      for (const [index, { frames }] of this.models.entries()) {
        const { chance, maxFrames } = this.#odd.get(index) ?? { chance: CHANCE, maxFrames: Infinity };
        if (frames.length < maxFrames && this.#random.chance(chance)) this.send(index);
      }
    }, FRAME_EVERY_MS);
  }

  pause(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Adds a frame to a device, which sends it as soon as it can. */
  send(index: number): void {
    this.models[index]?.frames.push(this.nextFrame(index));
    this.drivers[index]?.pump();
  }

  /** A frame that nobody has sent yet, most of the time a good one. */
  nextFrame(index: number): Frame {
    const odd = this.#odd.get(index);
    const count = odd?.readings ?? 1 + this.#random.below(MAX_READINGS);
    if (odd === undefined && this.#random.chance(this.#badPart)) return badFrame(this.#random);
    const readings: Reading[] = [];
    for (let i = 0; i < count; i++) {
      const n = this.#readings[index] ?? 0;
      this.#readings[index] = n + 1;
      // In every second stretch of 64 the times come mixed: 37 is odd, so each is taken once.
      const slot = Math.floor(n / MIX) % 2 === 0 ? n : n - (n % MIX) + ((n * 37) % MIX);
      readings.push({ timeMs: this.#startMs + slot * STEP_MS, value: n * 16 + index });
    }
    const bytes =
      odd?.frame(readings) ??
      environmentFrame(readings.map(({ timeMs, value }) => ({ time: timeMs, temperature: value })));
    return { bytes, readings, bad: false };
  }

  /** Waits until every frame of every device is acknowledged. */
  async acknowledged(timeoutMs = PATIENCE_MS): Promise<void> {
    try {
      await until('all acks', () => this.models.every((model) => model.settled), timeoutMs);
    } catch {
      for (const { id, broken, acked, frames } of this.models) {
        if (acked < frames.length) broken.push(`${id}: no ack behind ${acked} of ${frames.length}`);
      }
    }
  }

  /** Waits until at least `frames` more are acknowledged than now. */
  async progress(frames: number, timeoutMs = PATIENCE_MS): Promise<void> {
    const goal = this.acked() + frames;
    try {
      await until(`${frames} more acks`, () => this.acked() >= goal, timeoutMs);
    } catch {
      breakPromise('streaming', `no ${frames} more acks within ${timeoutMs / 1000} s`);
    }
  }

  /** Frames acknowledged so far. */
  acked(): number {
    return this.models.reduce((sum, model) => sum + model.acked, 0);
  }

  close(): void {
    this.pause();
    for (const driver of this.drivers) driver.close();
  }
}

function badFrame(random: Random): Frame {
  const good = environmentFrame([{ time: Date.now(), temperature: 1 }]);
  const bytes = random.pick([
    Buffer.alloc(0),
    good.subarray(0, good.length - 1),
    Buffer.concat([good, Buffer.from([0])]),
    Buffer.from('not a frame at all'),
    environmentFrame([{ time: 1e15, temperature: 1 }]),
  ]);
  return { bytes, readings: [], bad: true };
}
