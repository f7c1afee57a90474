import {
  LIMITS,
  MillraceError,
  type Clock,
  type ErrorCode,
  type UnnumberedTransport,
} from '../core/index.ts';
import type { Origin } from '../journal/index.ts';
import type { Registry } from '../registry/index.ts';
import { draining, journalFailed, type IngestAdmission } from './admission.ts';
import { checkUnnumbered, refusedFrame } from './check.ts';
import type { DeviceJournal } from './device-journal.ts';
import type { DeviceLog } from './device-log.ts';
import { checkDeviceId } from './identity.ts';

export interface IntakeOptions {
  journal: DeviceJournal;
  registry: Pick<Registry, 'resolve'>;
  clock: Clock;
  admission: IngestAdmission;
  limits: { maxFrameBytes: number };
  log: DeviceLog;
  /** A frame was taken, or refused with this code. */
  onFrame(refused: ErrorCode | null): void;
  /** A defect: the frame is refused as `internal`. */
  onError(error: unknown): void;
}

/**
 * What a full journal does to a way in. `refuse`: frames are not taken, and whoever brings them is told to come again.
 * `withhold`: they are taken, as far as memory goes, and the answer waits until the journal has room.
 */
export type WhenFull = 'refuse' | 'withhold';

/** A request by the name that its sender gave it, so that its frames are known again when it comes again. */
export interface RequestName {
  key: string;
  /** The place in the request of the first of the frames. */
  first: number;
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
  readonly transport: UnnumberedTransport;
  readonly durable: Promise<void>;
  readonly rejected: IntakeResult['rejected'] = [];
  readonly #frames: number;
  #duplicates = 0;
  #resolve: () => void = () => {};
  #reject: (error: MillraceError) => void = () => {};

  constructor(device: string, transport: UnnumberedTransport, frames: number) {
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

  /** To be asked for once it is durable. */
  get result(): IntakeResult {
    const { rejected } = this;
    const duplicates = this.#duplicates;
    return { accepted: this.#frames - duplicates - rejected.length, duplicates, rejected };
  }

  onDuplicate(): void {
    this.#duplicates++;
  }

  onDurable(seq: number): void {
    if (seq >= this.#frames) this.#resolve();
  }

  onFailed(): void {
    this.#reject(journalFailed());
  }
}

/** An answer that waits until the journal takes frames again. */
interface Withheld {
  release(): void;
  fail(error: MillraceError): void;
}

/**
 * Takes frames of transports that number nothing (HTTP, MQTT): checks and journals them, and answers when all are
 * on disk. A record that the same device brought within the dedupe window is counted and not kept: known by its bytes, or
 * where it has no time of its own by its place in a request that has a name.
 */
export class Intake {
  readonly #options: IntakeOptions;
  /** Bytes of the frames that are not answered for. */
  #bytesInFlight = 0;
  readonly #withheld = new Set<Withheld>();
  readonly #unsubscribe: () => void;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#unsubscribe = options.journal.onStateChange((_state, accepting) => {
      if (accepting) this.#endWithheld((answer) => answer.release());
    });
  }

  /**
   * Resolves when every frame is durable: taken, known, or refused and kept as a dead letter. Rejects before anything is
   * taken with `device_invalid`, `draining`, `clock_wrong`, `too_many_frames` or, unless the answer is to be withheld,
   * `journal_full` and `journal_failed`. Rejects with `journal_failed` or `draining` when nothing is known of the frames;
   * then they are to be sent again.
   */
  async take(
    device: string,
    transport: UnnumberedTransport,
    frames: readonly Uint8Array[],
    whenFull: WhenFull = 'refuse',
    name: RequestName | null = null,
  ): Promise<IntakeResult> {
    const { admission, journal } = this.#options;
    checkDeviceId(device);
    if (whenFull === 'refuse') admission.checkAccepting();
    else admission.check();
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    // One request may be larger than the limit, alone.
    if (this.#bytesInFlight > 0 && this.#bytesInFlight + bytes > LIMITS.intakeBytes) {
      throw new MillraceError('too_many_frames', `${this.#bytesInFlight} bytes of frames wait for the disk`);
    }
    const request = new Request(device, transport, frames.length);
    if (frames.length === 0) return request.result;
    this.#bytesInFlight += bytes;
    try {
      for (const [index, frame] of frames.entries()) this.#takeOne(request, index, frame, name);
      await request.durable;
      if (whenFull === 'withhold' && !journal.accepting()) await this.#room();
    } finally {
      this.#bytesInFlight -= bytes;
    }
    return request.result;
  }

  #takeOne(request: Request, index: number, bytes: Uint8Array, name: RequestName | null): void {
    const { journal, registry, clock, limits } = this.#options;
    const { device, transport } = request;
    const seq = index + 1;
    const nowMs = clock.nowMs();
    let checked: ReturnType<typeof checkUnnumbered>;
    try {
      if (bytes.length > limits.maxFrameBytes) {
        throw new MillraceError('frame_too_large', `a frame may have ${limits.maxFrameBytes} bytes`);
      }
      const place = name === null ? null : `${name.key} ${name.first + index}`;
      checked = checkUnnumbered(registry, bytes, device, nowMs, place);
    } catch (thrown) {
      if (!(thrown instanceof MillraceError)) this.#options.onError(thrown);
      const { error, readings } = refusedFrame(registry, bytes, thrown);
      const { code, message } = error;
      this.#options.onFrame(code);
      this.#options.log.frameRefused(device, transport, null, error);
      request.rejected.push({ index, code, message });
      const letter = { device, transport, atMs: nowMs, code, message, position: null, bytes };
      journal.reject(request, seq, { ...letter, readings });
      return;
    }
    this.#options.onFrame(null);
    journal.append(request, seq, bytes, checked.readings, nowMs, checked.content);
  }

  /** Resolves when the journal takes frames again; rejects with `draining` when nobody waits for that any more. */
  #room(): Promise<void> {
    return new Promise((release, fail) => this.#withheld.add({ release, fail }));
  }

  #endWithheld(end: (answer: Withheld) => void): void {
    const waiting = [...this.#withheld];
    this.#withheld.clear();
    for (const answer of waiting) end(answer);
  }

  /** Takes nothing more; resolves when what was taken is on disk, or will not be. */
  async drain(): Promise<void> {
    const { admission, journal } = this.#options;
    admission.stop();
    await journal.flush().catch((error: unknown) => this.#options.onError(error));
    this.#unsubscribe();
    this.#endWithheld((answer) => answer.fail(draining()));
  }
}
