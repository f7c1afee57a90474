import type { KeptFrame } from '../../src/client/index.ts';
import { Latencies } from './latencies.ts';

/** How a fleet's run ended. The names are a contract with programs. */
export interface FleetSummary {
  devices: number;
  duration_s: number;
  /** Frames that left, each counted once however often it was sent again; while the run goes on, those to be sent, too. */
  frames_sent: number;
  frames_acked: number;
  frames_rejected: number;
  /** Neither taken nor refused when the run ended. */
  frames_unacked: number;
  /** Made, and not sent even once when the run ended. */
  frames_unsent: number;
  /** Made while the outbox was full, and lost, as on a real device. */
  frames_dropped: number;
  /** Bytes of the frames sent, WebSocket and TCP headers apart. */
  bytes_sent: number;
  readings_sent: number;
  readings_acked: number;
  readings_rejected: number;
  /** Welcomes after a device's first. */
  reconnects: number;
  /** From the first sending of a frame to its ack, in milliseconds. */
  ack_ms_p50: number;
  ack_ms_p99: number;
  ack_ms_max: number;
  /** Refusals by code. */
  rejected: Record<string, number>;
  /** Welcomes whose number could not be: `ahead` of what was sent, or `behind` what was acknowledged. */
  numbers_faults: Record<string, number>;
  /** Devices that gave up before the end, by reason. */
  stopped: Record<string, number>;
}

export interface FleetProgress extends FleetSummary {
  /** Devices connected at this moment. */
  connected: number;
}

/** The counts of a whole fleet. */
export class Tally {
  readonly #devices: number;
  readonly #latencies = new Latencies();
  readonly #rejected = new Map<string, number>();
  readonly #stopped = new Map<string, number>();
  readonly #numbersFaults = new Map<string, number>();
  #framesSent = 0;
  #framesAcked = 0;
  #framesRejected = 0;
  #framesDropped = 0;
  #framesUnsent = 0;
  #bytesSent = 0;
  #readingsSent = 0;
  #readingsAcked = 0;
  #readingsRejected = 0;
  #reconnects = 0;

  constructor(devices: number) {
    this.#devices = devices;
  }

  sent(readings: number, bytes: number): void {
    this.#framesSent += 1;
    this.#bytesSent += bytes;
    this.#readingsSent += readings;
  }

  /** At the end: of the frames that were to be sent, those that never were. */
  neverSent(frames: readonly KeptFrame[]): void {
    for (const { bytes, readings } of frames) {
      this.#framesSent -= 1;
      this.#framesUnsent += 1;
      this.#readingsSent -= readings;
      this.#bytesSent -= bytes.length;
    }
  }

  dropped(): void {
    this.#framesDropped += 1;
  }

  settled(frame: KeptFrame, nowMs: number): void {
    if (frame.refusal === null) {
      this.#framesAcked += 1;
      this.#readingsAcked += frame.readings;
      if (frame.sentAtMs !== null) this.#latencies.add(nowMs - frame.sentAtMs);
    } else {
      this.#framesRejected += 1;
      this.#readingsRejected += frame.readings;
      const { code } = frame.refusal;
      this.#rejected.set(code, (this.#rejected.get(code) ?? 0) + 1);
    }
  }

  reconnected(): void {
    this.#reconnects += 1;
  }

  numbersFault(kind: string): void {
    this.#numbersFaults.set(kind, (this.#numbersFaults.get(kind) ?? 0) + 1);
  }

  stopped(reason: string): void {
    this.#stopped.set(reason, (this.#stopped.get(reason) ?? 0) + 1);
  }

  summary(elapsedMs: number): FleetSummary {
    return {
      devices: this.#devices,
      duration_s: Math.round(elapsedMs) / 1_000,
      frames_sent: this.#framesSent,
      frames_acked: this.#framesAcked,
      frames_rejected: this.#framesRejected,
      frames_unacked: this.#framesSent - this.#framesAcked - this.#framesRejected,
      frames_unsent: this.#framesUnsent,
      frames_dropped: this.#framesDropped,
      bytes_sent: this.#bytesSent,
      readings_sent: this.#readingsSent,
      readings_acked: this.#readingsAcked,
      readings_rejected: this.#readingsRejected,
      reconnects: this.#reconnects,
      ack_ms_p50: rounded(this.#latencies.percentile(0.5)),
      ack_ms_p99: rounded(this.#latencies.percentile(0.99)),
      ack_ms_max: rounded(this.#latencies.maxMs),
      rejected: Object.fromEntries(this.#rejected),
      numbers_faults: Object.fromEntries(this.#numbersFaults),
      stopped: Object.fromEntries(this.#stopped),
    };
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
