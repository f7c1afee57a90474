import type { BirpcReturn } from 'birpc';
import { LIMITS, MillraceError } from '../../core/index.ts';
import {
  refuseUnlessAccepting,
  tooManyConnections,
  type DeviceJournal,
  type Directory,
  type Holder,
  type Numbers,
} from '../../ingest/index.ts';
import type { RejectedFrame, JournalStats, Origin } from '../../journal/index.ts';
import type { AckWaits, IngestCalls, IngestCondition, IngestHostCalls } from './calls.ts';
import { readDurable } from './durable.ts';
import { FrameBatches } from './frames.ts';
import { KIND, type ProcessLink } from './link.ts';

type Connection = Holder & Origin;
type ConditionListener = (state: JournalStats['state'], accepting: boolean) => void;

/**
 * The journal and the directory of devices as an ingest process has them: the server's, at the other end of the link.
 * All that concerns one connection goes over it in the order in which it happened.
 */
export class Upstream implements DeviceJournal, Directory {
  readonly epoch: string;
  readonly #server: BirpcReturn<IngestHostCalls, IngestCalls>;
  readonly #frames: FrameBatches;
  readonly #numbers = new Map<Origin, number>();
  readonly #connections = new Map<number, Connection>();
  readonly #listeners = new Set<ConditionListener>();
  #condition: IngestCondition;
  #lastNumber = 0;
  /** Where the frame before came from: most frames follow one of the same connection. */
  #lastOrigin: Origin | null = null;
  #lastOriginNumber = 0;
  /** Frames wait for the end of this turn of the event loop. */
  #flushing = false;
  readonly #waits = new Map<number, number>();

  constructor(
    link: ProcessLink,
    server: BirpcReturn<IngestHostCalls, IngestCalls>,
    epoch: string,
    condition: IngestCondition,
  ) {
    this.epoch = epoch;
    this.#server = server;
    this.#condition = condition;
    this.#frames = new FrameBatches(LIMITS.linkBatchBytes, (payload, sent) =>
      link.send(KIND.frames, payload, sent),
    );
  }

  stats(): Pick<JournalStats, 'state'> {
    return this.#condition;
  }

  accepting(): boolean {
    return this.#condition.accepting;
  }

  onStateChange(listener: ConditionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  append(origin: Origin, seq: number, bytes: Uint8Array, readings: number, arrivalMs: number): boolean {
    this.#frames.append(this.#numberOf(origin), seq, bytes, readings, arrivalMs);
    if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => this.#flush());
    }
    return true;
  }

  reject(origin: Origin, seq: number, letter: RejectedFrame): void {
    const number = this.#numberOf(origin);
    this.#flush();
    this.#server.reject.asEvent(number, seq, letter).catch(ignore);
  }

  async flush(): Promise<void> {
    this.#flush();
    await this.#server.flush();
  }

  admit(): void {
    refuseUnlessAccepting(this);
    if (!this.#condition.room) throw tooManyConnections();
  }

  async claim(holder: Connection): Promise<Numbers | null> {
    const number = ++this.#lastNumber;
    this.#numbers.set(holder, number);
    this.#connections.set(number, holder);
    // An earlier connection of this process may have frames that wait here.
    this.#flush();
    return this.#server.claim(number, holder.device, holder.outboxId);
  }

  release(holder: Connection): void {
    const number = this.#numbers.get(holder);
    if (number === undefined) return;
    this.#flush();
    if (this.#lastOrigin === holder) this.#lastOrigin = null;
    this.#numbers.delete(holder);
    this.#connections.delete(number);
    this.#server.release.asEvent(number).catch(ignore);
  }

  /** An ack took so long. Told in sums, now and then. */
  acknowledged(ms: number): void {
    const none = this.#waits.size === 0;
    this.#waits.set(ms, (this.#waits.get(ms) ?? 0) + 1);
    if (!none) return;
    setTimeout(() => {
      const waits: AckWaits = [...this.#waits];
      this.#waits.clear();
      this.#server.acknowledged.asEvent(waits).catch(ignore);
    }, LIMITS.processReportMs);
  }

  /** The server told of a commit. */
  durable(payload: Buffer): void {
    readDurable(payload, (number, seq, frameBytes, arrivalMs) =>
      this.#connections.get(number)?.onDurable(seq, frameBytes, arrivalMs),
    );
  }

  failed(number: number): void {
    this.#connections.get(number)?.onFailed();
  }

  replaced(number: number): void {
    this.#connections.get(number)?.replaced();
  }

  /** The server told how its journal and its directory are. */
  update(condition: IngestCondition): void {
    this.#condition = condition;
    for (const listener of this.#listeners) listener(condition.state, condition.accepting);
  }

  #flush(): void {
    this.#flushing = false;
    this.#frames.flush();
  }

  #numberOf(origin: Origin): number {
    if (origin === this.#lastOrigin) return this.#lastOriginNumber;
    const number = this.#numbers.get(origin);
    if (number === undefined) throw new MillraceError('internal', 'a frame of a connection that is not open');
    this.#lastOrigin = origin;
    this.#lastOriginNumber = number;
    return number;
  }
}

/** What cannot be sent any more: without the server this process ends. */
const ignore = (): void => {};
