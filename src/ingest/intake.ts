import {
  isDeviceId,
  LIMITS,
  MillraceError,
  type Clock,
  type ClockGuard,
  type ErrorCode,
  type Transport,
  type UnnumberedTransport,
} from '../core/index.ts';
import type { Journal, Origin } from '../journal/index.ts';
import type { Registry } from '../registry/index.ts';
import { refuseUnlessAccepting, refuseWhileClockIsWrong } from './admission.ts';
import { checkUnnumbered, refusedFrame } from './check.ts';
import type { DeviceLog } from './device-log.ts';

export interface IntakeOptions {
  journal: Journal;
  registry: Registry;
  clock: Clock;
  guard: ClockGuard;
  maxFrameBytes: number;
  log: DeviceLog;
  /** A frame was taken, or refused with this code. */
  onFrame(refused: ErrorCode | null): void;
  /** A defect: the frame is refused as `internal`. */
  onError(error: unknown): void;
}

/** What became of frames that came together, counted in frames. */
export interface IntakeResult {
  accepted: number;
  duplicates: number;
  rejected: { index: number; code: ErrorCode; message: string }[];
}

/** Frames without numbers of their own: one request, whose frames are counted from 1. */
class Request implements Origin {
  readonly device: string;
  readonly transport: Transport;
  readonly durable: Promise<void>;
  readonly #frames: number;
  #resolve: () => void = () => {};
  #reject: (error: MillraceError) => void = () => {};

  constructor(device: string, transport: Transport, frames: number) {
    this.device = device;
    this.transport = transport;
    this.#frames = frames;
    this.durable = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // It may fail before anybody waits for it.
    this.durable.catch(() => undefined);
  }

  onDurable(seq: number): void {
    if (seq >= this.#frames) this.#resolve();
  }

  onFailed(): void {
    this.#reject(new MillraceError('journal_failed', 'the journal cannot be written'));
  }
}

/**
 * Takes frames of transports that number nothing (HTTP, MQTT): checks and journals them, and answers when all are
 * on disk. A record that the same device brought within the dedupe window is counted and not kept.
 */
export class Intake {
  readonly #options: IntakeOptions;
  /** Bytes of the frames that wait for the disk. */
  #bytesInFlight = 0;
  #draining = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /**
   * Resolves when every frame is durable: taken, known, or refused and kept as a dead letter. Rejects with
   * `device_invalid`, `draining`, `journal_full`, `journal_failed`, `clock_wrong` or `too_many_frames` before anything is taken, or with
   * `journal_failed` when nothing is known of the frames; then they are to be sent again.
   */
  async take(
    device: string,
    transport: UnnumberedTransport,
    frames: readonly Uint8Array[],
  ): Promise<IntakeResult> {
    if (!isDeviceId(device))
      throw new MillraceError('device_invalid', 'the device id has not the required form');
    if (this.#draining) throw new MillraceError('draining', 'the server is stopping');
    refuseWhileClockIsWrong(this.#options.clock, this.#options.guard);
    refuseUnlessAccepting(this.#options.journal);
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    // One request may be larger than the limit, alone.
    if (this.#bytesInFlight > 0 && this.#bytesInFlight + bytes > LIMITS.intakeBytes) {
      throw new MillraceError('too_many_frames', `${this.#bytesInFlight} bytes of frames wait for the disk`);
    }
    const result: IntakeResult = { accepted: 0, duplicates: 0, rejected: [] };
    if (frames.length === 0) return result;
    const request = new Request(device, transport, frames.length);
    this.#bytesInFlight += bytes;
    try {
      for (const [index, frame] of frames.entries()) this.#takeOne(request, index, frame, result);
      await request.durable;
    } finally {
      this.#bytesInFlight -= bytes;
    }
    return result;
  }

  #takeOne(request: Request, index: number, bytes: Uint8Array, result: IntakeResult): void {
    const { journal, registry, clock, maxFrameBytes } = this.#options;
    const { device, transport } = request;
    const seq = index + 1;
    const nowMs = clock.nowMs();
    let checked: ReturnType<typeof checkUnnumbered>;
    try {
      if (bytes.length > maxFrameBytes) {
        throw new MillraceError('frame_too_large', `a frame may have ${maxFrameBytes} bytes`);
      }
      checked = checkUnnumbered(registry, bytes, device, nowMs);
    } catch (thrown) {
      if (!(thrown instanceof MillraceError)) this.#options.onError(thrown);
      const { error, readings } = refusedFrame(registry, bytes, thrown);
      const { code, message } = error;
      this.#options.onFrame(code);
      this.#options.log.frameRefused(device, transport, null, error);
      result.rejected.push({ index, code, message });
      const letter = { device, transport, atMs: nowMs, code, message, position: null, bytes };
      journal.reject(request, seq, { ...letter, readings });
      return;
    }
    this.#options.onFrame(null);
    const fresh = journal.append(request, seq, bytes, checked.readings, nowMs, checked.content);
    if (fresh) result.accepted++;
    else result.duplicates++;
  }

  /** Takes nothing more; resolves when what was taken is on disk, or will not be. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#options.journal.flush().catch((error: unknown) => this.#options.onError(error));
  }
}
