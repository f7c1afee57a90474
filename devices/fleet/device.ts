import type { KeptFrame, Timers } from '../../src/client/index.ts';
import type { DeviceSource } from '../model.ts';
import type { Random } from '../random.ts';
import type { FrameEncoder } from './encoder.ts';
import type { FrameSender, Senders } from './sender.ts';
import type { Tally } from './tally.ts';

/** What the devices of a fleet share. */
export interface FleetContext {
  senders: Senders;
  timers: Timers;
  encoder: FrameEncoder;
  tally: Tally;
  /** Between two frames of a device. */
  periodMs: number;
  readings: number;
  /** Frames of a device in the whole run; infinite for an endless one. */
  frames: number;
  /** The wall clock at `timers.nowMs()` = 0. */
  epochAtZeroMs: number;
  /** Hears of connections that ended or could not be made, and are tried again. */
  onTrouble: (reason: string) => void;
}

/** Frames leave up to this share of the period after they are due. */
const JITTER = 0.1;

/** One simulated device: a source of readings, an outbox and a connection. */
export class FleetDevice {
  readonly #id: string;
  readonly #source: DeviceSource;
  readonly #random: Random;
  readonly #context: FleetContext;
  readonly #onDone: () => void;
  #sender: FrameSender | null = null;
  #cancel: () => void = () => {};
  #startMs = 0;
  #startEpochMs = 0;
  #frame = 0;
  #connections = 0;
  #isDone = false;

  constructor(id: string, source: DeviceSource, random: Random, context: FleetContext, onDone: () => void) {
    this.#id = id;
    this.#source = source;
    this.#random = random;
    this.#context = context;
    this.#onDone = onDone;
  }

  get connected(): boolean {
    return this.#sender?.connected === true;
  }

  /** Connects after `delayMs` and begins to measure. */
  start(delayMs: number): void {
    this.#cancel = this.#context.timers.after(delayMs, () => {
      this.#connect();
      this.#startMs = this.#context.timers.nowMs();
      this.#startEpochMs = Math.floor(this.#context.epochAtZeroMs + this.#startMs);
      this.#schedule();
    });
  }

  /** Measures nothing more; what is kept still goes out. */
  finish(): void {
    this.#cancel();
    if (this.#isDone) return;
    this.#isDone = true;
    this.#onDone();
  }

  /** Whether it reached the gateway at least once. */
  get wasConnected(): boolean {
    return this.#connections > 0;
  }

  neverSent(): KeptFrame[] {
    return this.#sender?.neverSent() ?? [];
  }

  async flushed(timeoutMs: number): Promise<void> {
    await this.#sender?.flushed(timeoutMs);
  }

  close(): void {
    this.#sender?.close();
  }

  #connect(): void {
    const { senders, tally, onTrouble } = this.#context;
    this.#sender = senders.open(this.#id, () => this.#random.uniform(), {
      onSettled: (frame, nowMs) => tally.settled(frame, nowMs),
      onNumbersFault: (kind) => tally.numbersFault(kind),
      onConnected: () => {
        this.#connections += 1;
        if (this.#connections > 1) tally.reconnected();
      },
      onTrouble,
      onStopped: (reason) => {
        tally.stopped(reason);
        this.finish();
      },
    });
  }

  #schedule(): void {
    const { timers, periodMs, frames } = this.#context;
    if (this.#isDone) return;
    if (this.#frame >= frames) {
      this.finish();
      return;
    }
    const jitterMs = this.#random.uniform() * JITTER * periodMs;
    const dueMs = this.#startMs + (this.#frame + 1) * periodMs;
    const delayMs = dueMs + jitterMs - timers.nowMs();
    this.#cancel = timers.after(Math.max(0, delayMs), () => this.#produce());
  }

  #produce(): void {
    const { encoder, tally, readings, periodMs } = this.#context;
    // Whole milliseconds from a whole start: every span has room for its readings, none overlaps.
    const fromMs = this.#startEpochMs + Math.floor(this.#frame * periodMs);
    this.#frame += 1;
    const untilMs = this.#startEpochMs + Math.floor(this.#frame * periodMs);
    const record = this.#source.next({ fromMs, untilMs, count: readings });
    if (record !== null) {
      const bytes = encoder.encode(record);
      if (this.#sender?.send(bytes, readings) === true) tally.sent(readings, bytes.length);
      else if (!this.#isDone) tally.dropped();
    }
    this.#schedule();
  }
}
