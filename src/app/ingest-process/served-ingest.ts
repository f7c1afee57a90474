import { isErrorCode, messageOf, MillraceError, type ErrorCode } from '../../core/index.ts';
import type { DeviceDirectory, Holder, Numbers } from '../../ingest/index.ts';
import type { RejectedFrame, Journal, Origin, OutboxLife } from '../../journal/index.ts';
import type { AckWaits, IngestCalls, IngestHostCalls } from './calls.ts';
import { DurableBatch } from './durable.ts';
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
}

/** A connection in an ingest process. Once it counts no more, what still comes of it is passed over. */
class RemoteConnection implements Origin, Holder {
  readonly device: string;
  readonly outboxId: string | null;
  readonly transport = 'ws';
  readonly number: number;
  /** Known before its first frame. */
  outbox: OutboxLife | null = null;
  counts = true;
  readonly #peer: IngestPeer;
  readonly #durable: RemoteConnection['onDurable'];

  constructor(
    number: number,
    who: Pick<Holder, 'device' | 'outboxId'>,
    peer: IngestPeer,
    durable: RemoteConnection['onDurable'],
  ) {
    this.number = number;
    this.device = who.device;
    this.outboxId = who.outboxId;
    this.#peer = peer;
    this.#durable = durable;
  }

  onDurable(seq: number, frameBytes: number, arrivalMs: number): void {
    this.#durable(seq, frameBytes, arrivalMs);
  }

  onFailed(): void {
    this.counts = false;
    this.#peer.failed(this.number);
  }

  replaced(): void {
    this.counts = false;
    this.#peer.replaced(this.number);
  }
}

/** What one ingest process asks of the server's journal and directory, and what it is told. */
export class ServedIngest implements IngestHostCalls {
  readonly #options: ServedIngestOptions;
  readonly #peer: IngestPeer;
  readonly #connections = new Map<number, RemoteConnection>();
  readonly #durable = new DurableBatch();

  constructor(options: ServedIngestOptions, peer: IngestPeer) {
    this.#options = options;
    this.#peer = peer;
  }

  get connections(): number {
    return this.#connections.size;
  }

  async claim(number: number, device: string, outboxId: string | null): Promise<Numbers | null> {
    const who = { device, outboxId };
    const connection = new RemoteConnection(number, who, this.#peer, (seq, frameBytes, arrivalMs) => {
      if (this.#durable.empty) queueMicrotask(() => this.#tellDurable());
      this.#durable.add(number, seq, frameBytes, arrivalMs);
    });
    this.#connections.set(number, connection);
    const numbers = await this.#options.directory.claim(connection);
    if (numbers !== null) connection.outbox = numbers.outbox;
    return numbers;
  }

  release(number: number): void {
    const connection = this.#connections.get(number);
    if (connection === undefined) return;
    this.#connections.delete(number);
    this.#options.directory.release(connection);
  }

  /** Checked frames came; their bytes are copied before this returns. */
  frames(payload: Buffer): void {
    const { journal } = this.#options;
    for (const { connection: number, seq, bytes, readings, arrivalMs } of readFrames(payload)) {
      const connection = this.#connections.get(number);
      if (connection === undefined || !connection.counts) continue;
      this.#options.onFrame(null);
      this.#guard(connection, () => journal.append(connection, seq, bytes, readings, arrivalMs));
    }
  }

  reject(number: number, seq: number, letter: RejectedFrame): void {
    const connection = this.#connections.get(number);
    if (connection === undefined || !connection.counts) return;
    this.#options.onFrame(isErrorCode(letter.code) ? letter.code : 'internal');
    this.#guard(connection, () => this.#options.journal.reject(connection, seq, letter));
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
    for (const connection of this.#connections.values()) {
      connection.counts = false;
      this.#options.directory.release(connection);
    }
    this.#connections.clear();
  }

  #tellDurable(): void {
    if (!this.#durable.empty) this.#peer.durable(this.#durable.take());
  }

  /** A defect with one frame ends its connection alone. */
  #guard(connection: RemoteConnection, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.onError(
        new MillraceError('internal', `${connection.device}: ${messageOf(error)}`, { cause: error }),
      );
      connection.onFailed();
    }
  }
}
