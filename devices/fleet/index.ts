import type { OutboxLimits } from '../../src/client/index.ts';
import type { DeviceModel } from '../model.ts';
import { Random } from '../random.ts';
import { FleetDevice } from './device.ts';
import type { FleetContext } from './device.ts';
import { FrameEncoder, shippedSchema } from './encoder.ts';
import { SENDERS, type FleetTransport } from './senders.ts';
import { Tally } from './tally.ts';
import type { FleetProgress, FleetSummary } from './tally.ts';
import { TimerWheel } from './timer-wheel.ts';

export { FLEET_TRANSPORTS, type FleetTransport } from './senders.ts';
export type { FleetProgress, FleetSummary } from './tally.ts';

export interface FleetRun {
  /** `ws://HOST:PORT` or `http://HOST:PORT`. */
  url: string;
  /** The WebSocket where nothing is said. */
  transport?: FleetTransport;
  model: DeviceModel;
  /** Number of devices. */
  count: number;
  /** Frames per second of each device. */
  rate: number;
  /** Readings of each frame; rate × readings is at most 1,000, for readings have a millisecond each. */
  readings: number;
  /** How long each device measures; infinite runs end by `signal`. */
  durationMs: number;
  seed: number;
  /** Devices are called PREFIX-0001 and so on; the model's name where nothing is said. */
  idPrefix?: string;
  /** Called about once a second. */
  onProgress?(progress: FleetProgress): void;
  /** Hears of each connection that ended or could not be made, and is tried again. */
  onTrouble?(reason: string): void;
  /** Ends the run early: no more frames, the last acks are awaited. */
  signal?: AbortSignal;
}

/** New connections per second while the fleet starts. */
const CONNECTS_PER_S = 1_000;
const PROGRESS_MS = 1_000;
/** At the end acks are awaited this long, more than the longest backoff; after an abort less: somebody waits. */
const FLUSH_MS = 45_000;
const FLUSH_ABORTED_MS = 5_000;
/** Memory for unacknowledged frames of all devices together. */
const OUTBOXES_BYTES = 512 * 1024 * 1024;

/**
 * Runs simulated devices against a gateway and resolves with the summary when every frame is settled, or
 * when waiting for that took too long. Throws a RangeError for numbers that cannot be.
 */
export async function runFleet(run: FleetRun): Promise<FleetSummary> {
  check(run);
  const { model, count, rate, readings, durationMs, seed, signal } = run;
  const timers = new TimerWheel();
  const tally = new Tally(count);
  const startedMs = timers.nowMs();
  const senders = SENDERS[run.transport ?? 'ws']({ url: run.url, timers, outbox: outboxOf(count) });
  const context: FleetContext = {
    senders,
    timers,
    encoder: new FrameEncoder(shippedSchema(model.schemaFile)),
    tally,
    periodMs: 1_000 / rate,
    readings,
    frames: Math.max(1, Math.round((durationMs * rate) / 1_000)),
    epochAtZeroMs: Date.now() - startedMs,
    onTrouble: (reason) => run.onTrouble?.(reason),
  };

  const devices: FleetDevice[] = [];
  let running = count;
  const allDone = new Promise<void>((resolve) => {
    const onDone = () => {
      running -= 1;
      if (running === 0) resolve();
    };
    const digits = Math.max(4, String(count).length);
    for (let i = 1; i <= count; i++) {
      const id = `${run.idPrefix ?? model.name}-${String(i).padStart(digits, '0')}`;
      devices.push(new FleetDevice(id, model.create(seed, i), new Random(seed, i, 0), context, onDone));
    }
  });

  // Spread over a period, so that a fleet does not speak in chorus, but no faster than servers like it.
  const rampMs = Math.max(Math.min(context.periodMs, 5_000), (count / CONNECTS_PER_S) * 1_000);
  for (const [i, device] of devices.entries()) device.start((i / count) * rampMs);
  const stop = () => {
    for (const device of devices) device.finish();
  };
  const progress = setInterval(() => {
    const connected = devices.filter((device) => device.connected).length;
    run.onProgress?.({ ...tally.summary(timers.nowMs() - startedMs), connected });
  }, PROGRESS_MS);

  timers.start();
  try {
    if (signal?.aborted === true) stop();
    else signal?.addEventListener('abort', stop, { once: true });
    await allDone;
    // Where no gateway ever answered there is nothing to wait for.
    const answered = devices.some((device) => device.wasConnected);
    const flushMs = !answered ? 0 : signal?.aborted === true ? FLUSH_ABORTED_MS : FLUSH_MS;
    await Promise.all(devices.map((device) => device.flushed(flushMs)));
    for (const device of devices) tally.neverSent(device.neverSent());
    return tally.summary(timers.nowMs() - startedMs);
  } finally {
    signal?.removeEventListener('abort', stop);
    clearInterval(progress);
    for (const device of devices) device.close();
    senders.close();
    timers.stop();
  }
}

function outboxOf(count: number): OutboxLimits {
  const share = Math.floor(OUTBOXES_BYTES / count);
  return { maxFrames: 1_000, maxBytes: Math.min(8 * 1024 * 1024, Math.max(256 * 1024, share)) };
}

function check({ count, rate, readings, durationMs }: FleetRun): void {
  for (const [name, value] of Object.entries({ count, readings })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`${name}: expected a whole number from 1 on, got ${value}`);
    }
  }
  if (!(durationMs > 0)) throw new RangeError(`durationMs: expected more than 0, got ${durationMs}`);
  if (!(rate > 0) || rate * readings > 1_000) {
    throw new RangeError(
      `rate × readings: expected above 0 and at most 1000 readings/s of a device, got ${rate} × ${readings}`,
    );
  }
}
