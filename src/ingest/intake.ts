import { isDeviceId, MillraceError, type Clock, type ErrorCode } from '../core/index.ts';
import type { Journal, Origin, Transport } from '../journal/index.ts';
import type { Registry } from '../registry/index.ts';
import { checkFrame, contentOf, refusedFrame } from './check.ts';

export interface IntakeOptions {
  journal: Journal;
  registry: Registry;
  clock: Clock;
  maxFrameBytes: number;
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
  readonly #wanted: number;
  readonly durable: Promise<void>;
  #resolve: () => void = () => {};
  #reject: (error: MillraceError) => void = () => {};

  constructor(device: string, transport: Transport, frames: number) {
    this.device = device;
    this.transport = transport;
    this.#wanted = frames;
    this.durable = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  onDurable(seq: number): void {
    if (seq >= this.#wanted) this.#resolve();
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

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /**
   * Resolves when every frame is durable: taken, known, or refused and kept as a dead letter. Rejects with
   * `device_invalid`, `journal_full` or `journal_failed` before anything is taken, or with `journal_failed` when nothing
   * is known of the frames; then they are to be sent again.
   */
  async take(
    device: string,
    transport: Exclude<Transport, 'ws'>,
    frames: readonly Uint8Array[],
  ): Promise<IntakeResult> {
    const { journal, registry, clock, maxFrameBytes } = this.#options;
    if (!isDeviceId(device))
      throw new MillraceError('device_invalid', 'the device id has not the required form');
    if (!journal.accepting()) {
      const failed = journal.stats().state === 'failed';
      throw failed
        ? new MillraceError('journal_failed', 'the journal cannot be written')
        : new MillraceError('journal_full', 'the journal is at its limit');
    }
    const result: IntakeResult = { accepted: 0, duplicates: 0, rejected: [] };
    if (frames.length === 0) return result;
    const request = new Request(device, transport, frames.length);
    const nowMs = clock.nowMs();
    for (const [index, bytes] of frames.entries()) {
      const seq = index + 1;
      let readings: number;
      try {
        if (bytes.length > maxFrameBytes) {
          throw new MillraceError('frame_too_large', `a frame may have ${maxFrameBytes} bytes`);
        }
        readings = checkFrame(registry, bytes, device, nowMs);
      } catch (thrown) {
        const refused = refusedFrame(registry, bytes, thrown);
        const { code, message } = refused.error;
        result.rejected.push({ index, code, message });
        const letter = { device, transport, atMs: nowMs, code, message, position: null, bytes };
        journal.reject(request, seq, { ...letter, readings: refused.readings });
        continue;
      }
      const fresh = journal.append(request, seq, bytes, readings, nowMs, contentOf(registry, bytes));
      if (fresh) result.accepted++;
      else result.duplicates++;
    }
    await request.durable;
    return result;
  }
}
