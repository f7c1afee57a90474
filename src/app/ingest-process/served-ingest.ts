import {
  isErrorCode,
  messageOf,
  MillraceError,
  type ErrorCode,
  type Transport,
  type UnnumberedTransport,
} from '../../core/index.ts';
import type { DeviceDirectory, Holder, DeviceIdentity, Numbers } from '../../ingest/index.ts';
import type { RejectedFrame, Journal, Origin, OutboxLife } from '../../journal/index.ts';
import type { AckWaits, IngestCalls, IngestHostCalls } from './calls.ts';
import { DuplicateBatch, DurableBatch } from './durable.ts';
import { readFrames } from './frames.ts';

export interface ServedIngestOptions {
  journal: Journal;
  directory: DeviceDirectory;
  /** A frame was taken, or refused with this code. */
  onFrame(refused: ErrorCode | null): void;
  /** An ack went out; `ms` is the wait of the oldest frame that it covers. */
  onAck(ms: number): void;
  onError(error: unknown): void;
}

/** How to tell the ingest process. */
export interface IngestPeer extends Pick<IngestCalls, 'replaced' | 'failed'> {
  durable(payload: Uint8Array): void;
  duplicates(payload: Uint8Array): void;
}

/** Told of what becomes of an origin's frames, by the origin's number. */
interface OriginListener extends Pick<IngestPeer, 'replaced' | 'failed'> {
  durable(origin: number, seq: number, frameBytes: number, arrivalMs: number): void;
  duplicate(origin: number): void;
}

/** A request in an ingest process, or a connection. Once it counts no more, what still comes of it is passed over. */
class RemoteOrigin implements Origin {
  readonly number: number;
  readonly transport: Transport;
  readonly device: string;
  /** Known before its first frame. */
  outbox: OutboxLife | null = null;
  counts = true;
  protected readonly told: OriginListener;

  constructor(number: number, transport: Transport, device: string, told: OriginListener) {
    this.number = number;
    this.transport = transport;
    this.device = device;
    this.told = told;
  }

  onDurable(seq: number, frameBytes: number, arrivalMs: number): void {
    this.told.durable(this.number, seq, frameBytes, arrivalMs);
  }

  onDuplicate(): void {
    this.told.duplicate(this.number);
  }

  onFailed(): void {
    this.counts = false;
    this.told.failed(this.number);
  }
}

/** A connection, which has a seat. */
class RemoteConnection extends RemoteOrigin implements Holder {
  readonly outboxId: string | null;

  constructor(number: number, transport: Transport, who: DeviceIdentity, told: OriginListener) {
    super(number, transport, who.device, told);
    this.outboxId = who.outboxId;
  }

  replaced(): void {
    this.counts = false;
    this.told.replaced(this.number);
  }
}

/** What one ingest process asks of the server's journal and directory, and what it is told. */
export class ServedIngest implements IngestHostCalls {
  readonly #options: ServedIngestOptions;
  readonly #peer: IngestPeer;
  readonly #origins = new Map<number, RemoteOrigin>();
  readonly #seated = new Set<RemoteConnection>();
  readonly #durable = new DurableBatch();
  readonly #duplicates = new DuplicateBatch();
  readonly #told: OriginListener;

  constructor(options: ServedIngestOptions, peer: IngestPeer) {
    this.#options = options;
    this.#peer = peer;
    this.#told = {
      replaced: (number) => peer.replaced(number),
      failed: (number) => peer.failed(number),
      durable: (number, seq, frameBytes, arrivalMs) => {
        if (this.#durable.empty) queueMicrotask(() => this.#tellDurable());
        this.#durable.add(number, seq, frameBytes, arrivalMs);
      },
      duplicate: (number) => this.#duplicates.add(number),
    };
  }

  get connections(): number {
    return this.#seated.size;
  }

  async claim(number: number, transport: Transport, who: DeviceIdentity): Promise<Numbers | null> {
    const connection = new RemoteConnection(number, transport, who, this.#told);
    this.#origins.set(number, connection);
    this.#seated.add(connection);
    const numbers = await this.#options.directory.claim(connection);
    if (numbers !== null) connection.outbox = numbers.outbox;
    return numbers;
  }

  request(number: number, transport: UnnumberedTransport, device: string): void {
    this.#origins.set(number, new RemoteOrigin(number, transport, device, this.#told));
  }

  release(number: number): void {
    const origin = this.#origins.get(number);
    this.#origins.delete(number);
    if (!(origin instanceof RemoteConnection)) return;
    this.#seated.delete(origin);
    this.#options.directory.release(origin);
  }

  /** Checked frames came; their bytes are copied before this returns. */
  frames(payload: Buffer): void {
    const { journal } = this.#options;
    for (const { connection, seq, bytes, readings, arrivalMs, content } of readFrames(payload)) {
      const origin = this.#origins.get(connection);
      if (origin === undefined || !origin.counts) continue;
      this.#options.onFrame(null);
      this.#guard(origin, () => journal.append(origin, seq, bytes, readings, arrivalMs, content));
    }
  }

  reject(number: number, seq: number, letter: RejectedFrame): void {
    const origin = this.#origins.get(number);
    if (origin === undefined || !origin.counts) return;
    this.#options.onFrame(isErrorCode(letter.code) ? letter.code : 'internal');
    this.#guard(origin, () => this.#options.journal.reject(origin, seq, letter));
  }

  async flush(): Promise<void> {
    await this.#options.journal.flush();
    this.#tellDurable();
  }

  acknowledged(waits: AckWaits): void {
    for (const [ms, acks] of waits) for (let i = 0; i < acks; i++) this.#options.onAck(ms);
  }

  /** The process has ended, and its connections with it. */
  ended(): void {
    for (const origin of this.#origins.values()) origin.counts = false;
    for (const connection of this.#seated) this.#options.directory.release(connection);
    this.#origins.clear();
    this.#seated.clear();
  }

  #tellDurable(): void {
    if (this.#durable.empty) return;
    if (!this.#duplicates.empty) this.#peer.duplicates(this.#duplicates.take());
    this.#peer.durable(this.#durable.take());
  }

  /** A defect with one frame ends its connection, or fails its request, alone. */
  #guard(origin: RemoteOrigin, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.onError(
        new MillraceError('internal', `${origin.device}: ${messageOf(error)}`, { cause: error }),
      );
      origin.onFailed();
    }
  }
}
