import type { BirpcReturn } from 'birpc';
import { isNumbered, LIMITS, MillraceError } from '../../core/index.ts';
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
import { readDuplicates, readDurable } from './durable.ts';
import { FrameBatches } from './frames.ts';
import { KIND, type ProcessLink } from './link.ts';

type Connection = Holder & Origin;
/** An origin under the number by which the server knows it. */
interface Known {
  origin: Origin;
  number: number;
  /** Of a connection, which is known until it is released; a request is as long as frames of it are on their way. */
  seat: Holder | null;
  /** The last of its frames that went out. */
  sentSeq: number;
}
type ConditionListener = (state: JournalStats['state'], accepting: boolean) => void;

/**
 * The journal and the directory of devices as an ingest process has them: the server's, at the other end of the link.
 * All that concerns one connection goes over it in the order in which it happened.
 */
export class Upstream implements DeviceJournal, Directory {
  readonly epoch: string;
  readonly #server: BirpcReturn<IngestHostCalls, IngestCalls>;
  readonly #frames: FrameBatches;
  readonly #byOrigin = new Map<Origin, Known>();
  readonly #byNumber = new Map<number, Known>();
  readonly #listeners = new Set<ConditionListener>();
  #condition: IngestCondition;
  #lastNumber = 0;
  /** Where the frame before came from: most frames follow one of the same connection. */
  #last: Known | null = null;
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

  append(
    origin: Origin,
    seq: number,
    bytes: Uint8Array,
    readings: number,
    arrivalMs: number,
    content: string | null = null,
  ): void {
    const known = this.#know(origin);
    known.sentSeq = seq;
    this.#frames.append(known.number, seq, bytes, readings, arrivalMs, content ?? '');
    if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => this.#flush());
    }
  }

  reject(origin: Origin, seq: number, letter: RejectedFrame): void {
    const known = this.#know(origin);
    known.sentSeq = seq;
    this.#flush();
    // The bytes are the socket's, and it is sent a moment later.
    const copy = { ...letter, bytes: letter.bytes.slice() };
    this.#server.reject.asEvent(known.number, seq, copy).catch(ignore);
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
    const { number } = this.#add(holder, holder);
    // An earlier connection of this process may have frames that wait here.
    this.#flush();
    const { transport, device, outboxId } = holder;
    return this.#server.claim(number, transport, { device, outboxId });
  }

  release(holder: Connection): void {
    const known = this.#byOrigin.get(holder);
    if (known !== undefined) this.#forget(known);
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
    readDurable(payload, (number, seq, frameBytes, arrivalMs) => {
      const known = this.#byNumber.get(number);
      if (known === undefined) return;
      known.origin.onDurable(seq, frameBytes, arrivalMs);
      if (known.seat === null && seq >= known.sentSeq) this.#forget(known);
    });
  }

  /** The server knows frames by their content. */
  duplicates(payload: Buffer): void {
    readDuplicates(payload, (number) => this.#byNumber.get(number)?.origin.onDuplicate?.());
  }

  failed(number: number): void {
    const known = this.#byNumber.get(number);
    if (known === undefined) return;
    known.origin.onFailed();
    if (known.seat === null) this.#forget(known);
  }

  replaced(number: number): void {
    this.#byNumber.get(number)?.seat?.replaced();
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

  #know(origin: Origin): Known {
    if (this.#last?.origin === origin) return this.#last;
    const known = this.#byOrigin.get(origin) ?? this.#begin(origin);
    this.#last = known;
    return known;
  }

  /** The first frame of a request. */
  #begin(origin: Origin): Known {
    const { transport, device } = origin;
    if (isNumbered(transport)) {
      throw new MillraceError('internal', 'a frame of a connection that is not open');
    }
    const known = this.#add(origin, null);
    this.#server.request.asEvent(known.number, transport, device).catch(ignore);
    return known;
  }

  #add(origin: Origin, seat: Holder | null): Known {
    const known = { origin, number: ++this.#lastNumber, seat, sentSeq: 0 };
    this.#byOrigin.set(origin, known);
    this.#byNumber.set(known.number, known);
    return known;
  }

  #forget(known: Known): void {
    this.#flush();
    if (this.#last === known) this.#last = null;
    this.#byOrigin.delete(known.origin);
    this.#byNumber.delete(known.number);
    this.#server.release.asEvent(known.number).catch(ignore);
  }
}

/** What cannot be sent any more: without the server this process ends. */
const ignore = (): void => {};
