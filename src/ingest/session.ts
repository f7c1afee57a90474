import { LIMITS, MillraceError, type ErrorCode, type Transport } from '../core/index.ts';
import type { Origin, OutboxLife } from '../journal/index.ts';
import { asMillraceError, type Socket, type SocketHandler } from '../net/index.ts';
import { clockWrong, journalFailed } from './admission.ts';
import { checkFrame, refusedFrame, type FrameRefusal } from './check.ts';
import { closing } from './closing.ts';
import type { Holder, Numbers } from './directory.ts';
import type { FairShares } from './fair-shares.ts';
import { FrameQueue, type QueueOwner } from './frame-queue.ts';
import type { FrameLimits, IngestParts } from './hub.ts';
import type { DeviceIdentity } from './identity.ts';

/** What a session needs and whom it tells. */
export interface SessionContext extends Omit<IngestParts, 'directory'> {
  shares: FairShares;
  /** The journal is full, so an ack waits: call `releaseAck` when it takes frames again. */
  onWithheld(session: DeviceSession): void;
  onClosed(session: DeviceSession): void;
}

/**
 * One device connection: numbers its frames, has each checked and journaled, and acknowledges them when
 * they are on disk. Memory is bounded by the window of unacknowledged frames.
 */
export class DeviceSession implements SocketHandler, Origin, Holder, QueueOwner {
  readonly device: string;
  readonly outboxId: string | null;
  readonly transport: Transport = 'ws';
  /** Known from the welcome on. */
  outbox: OutboxLife | null = null;
  readonly #context: SessionContext;
  readonly #socket: Socket;
  #welcomed = false;
  readonly #queue: FrameQueue;
  #assigned = 0;
  /** The last frame that was refused, as long as it is not on disk; else 0. */
  #lastRefused = 0;
  /** Who waits until the frame of this number is taken. */
  #awaited: { seq: number; tell: () => void } | null = null;
  #durable = 0;
  #acked = 0;
  /** Bytes of the frames that are not acknowledged. `#durableBytes` of them are on disk, and the first of those came at `#arrivalMs`. */
  #bytesInFlight = 0;
  #durableBytes = 0;
  #arrivalMs = 0;
  /** True while an ack waits for the device to read the earlier ones. */
  #ackDue = false;
  #lastWhy: { code: ErrorCode; message: string; json: string } | null = null;
  /** Nothing more is taken, nor told. */
  #closed = false;
  /** The socket is gone; what came before is taken yet. */
  #gone = false;
  #left = false;

  constructor(context: SessionContext, who: DeviceIdentity, socket: Socket) {
    this.#context = context;
    this.device = who.device;
    this.outboxId = who.outboxId;
    this.#socket = socket;
    this.#queue = new FrameQueue(this, context.shares);
  }

  /** Sends the welcome: from here on frames are numbered behind the last durable one. */
  welcome({ seq, outbox }: Numbers): void {
    if (this.#welcomed || this.#closed) return;
    const { journal, limits, log } = this.#context;
    log.connected(this.device, seq);
    this.#assigned = this.#durable = this.#acked = seq;
    this.outbox = outbox;
    this.#send({
      type: 'welcome',
      device: this.device,
      ...(outbox === null ? { epoch: journal.epoch } : { outbox: outbox.id, epoch: outbox.epoch }),
      seq,
      maxFrameBytes: limits.maxFrameBytes,
      maxUnacked: limits.maxUnacked,
      maxUnackedBytes: limits.maxUnackedBytes,
    });
    this.#welcomed = true;
    this.#queue.goOn();
    this.#leaveWhenDone();
  }

  message(bytes: Uint8Array, isBinary: boolean): void {
    if (this.#closed) return;
    if (!isBinary) {
      this.close(new MillraceError('protocol_error', 'a device sends frames in binary messages only'));
      return;
    }
    const { limits, clock } = this.#context;
    if (bytes.length > limits.maxFrameBytes) {
      this.close(tooLarge(limits));
      return;
    }
    const unacked = this.#assigned - this.#acked + this.#queue.count;
    if (unacked >= limits.maxUnacked || this.#bytesInFlight + bytes.length > limits.maxUnackedBytes) {
      this.close(new MillraceError('window_exceeded', 'more in flight than the welcome allows'));
      return;
    }
    this.#bytesInFlight += bytes.length;
    if (this.#queue.mayPass && this.takes) this.take(bytes, clock.nowMs());
    else this.#queue.put(bytes, clock.nowMs());
  }

  /** A device whose frames are refused waits for the disk, so that others wait for few of them. */
  get takes(): boolean {
    if (!this.#welcomed || this.#closed) return false;
    return this.#lastRefused === 0 || this.#assigned - this.#durable < this.#context.shares.mostOnTheirWay;
  }

  takeSome(action: () => void): void {
    try {
      this.#socket.cork(action);
    } catch (error) {
      this.#context.onError(error);
      this.close(asMillraceError(error));
    }
    this.#leaveWhenDone();
  }

  take(bytes: Uint8Array, nowMs: number): void {
    const { journal, registry, guard } = this.#context;
    if (nowMs < guard.earliestMs) {
      this.close(clockWrong());
      return;
    }
    this.#queue.spend(1 + (bytes.length >>> 10));
    const seq = ++this.#assigned;
    let readings: number;
    try {
      readings = checkFrame(registry, bytes, this.device, nowMs);
    } catch (error) {
      this.#refuse(seq, bytes, refusedFrame(registry, bytes, error), nowMs);
      if (!(error instanceof MillraceError)) this.#context.onError(error);
      return;
    }
    this.#context.onFrame(null);
    journal.append(this, seq, bytes, readings, nowMs);
  }

  #refuse(seq: number, bytes: Uint8Array, { error, readings }: FrameRefusal, atMs: number): void {
    const { code, message } = error;
    this.#queue.spend(LIMITS.refusedFrameWeight);
    if (this.#lastRefused === 0) this.#context.shares.refusing(true);
    this.#lastRefused = seq;
    this.#context.onFrame(code);
    this.#context.log.frameRefused(this.device, this.transport, seq, error);
    this.#sendText(`{"type":"reject","seq":${seq},${this.#why(code, message)}}`);
    const { device, transport } = this;
    this.#context.journal.reject(this, seq, {
      device,
      transport,
      atMs,
      code,
      message,
      readings,
      position: null,
      bytes,
    });
  }

  /** Code and message as JSON. Rubbish comes in rows: as a rule they are those of the reject before. */
  #why(code: ErrorCode, message: string): string {
    const before = this.#lastWhy;
    if (before?.code === code && before.message === message) return before.json;
    const json = JSON.stringify({ code, message }).slice(1, -1);
    this.#lastWhy = { code, message, json };
    return json;
  }

  onDurable(seq: number, frameBytes: number, arrivalMs: number): void {
    if (this.#durable === this.#acked) this.#arrivalMs = arrivalMs;
    this.#durable = seq;
    this.#durableBytes += frameBytes;
    if (this.#lastRefused > 0) {
      if (seq >= this.#lastRefused) this.#endRefusing();
      this.#queue.goOn();
    }
    if (this.#context.journal.accepting()) this.releaseAck();
    else this.#context.onWithheld(this);
  }

  #endRefusing(): void {
    if (this.#lastRefused === 0) return;
    this.#lastRefused = 0;
    this.#context.shares.refusing(false);
  }

  onFailed(): void {
    this.close(journalFailed());
  }

  /** Acknowledges everything that is durable. */
  releaseAck(): void {
    if (this.#closed || this.#gone || this.#durable === this.#acked) return;
    this.#acked = this.#durable;
    this.#bytesInFlight -= this.#durableBytes;
    this.#durableBytes = 0;
    // A clock that was put back between the two must not make it negative.
    this.#context.onAck(Math.max(0, this.#context.clock.nowMs() - this.#arrivalMs));
    this.#sendAck();
  }

  /** Acks are cumulative: while the device does not read, one waits instead of a queue of them. */
  #sendAck(): void {
    this.#ackDue = this.#socket.bufferedBytes() > LIMITS.ackBacklogBytes;
    if (!this.#ackDue) this.#sendText(`{"type":"ack","seq":${this.#acked}}`);
  }

  drain(): void {
    if (this.#ackDue && !this.#closed) this.#sendAck();
  }

  replaced(): void {
    this.close(new MillraceError('replaced', 'a newer connection of this device took over'));
  }

  /**
   * Says that a planned close is coming: the device finishes and reconnects. Resolves when the frames that came before are
   * with the journal, or never will be.
   */
  goaway(reason: string): Promise<void> {
    this.#send({ type: 'goaway', reason });
    return new Promise((tell) => {
      this.#awaited = { seq: this.#assigned + (this.#welcomed ? this.#queue.count : 0), tell };
      this.#leaveWhenDone();
    });
  }

  /** Ends the connection with the error's close code. */
  close(error: MillraceError): void {
    if (this.#closed) return;
    if (!this.#gone) this.#context.log.ended(this.device, error);
    this.#end();
    const { code, reason } = closing(error);
    this.#socket.end(code, reason);
  }

  ending(error: MillraceError): void {
    if (!this.#closed) this.#context.log.ended(this.device, error);
    this.#end();
  }

  cut(error: MillraceError): void {
    this.close(error);
  }

  closed(code: number): void {
    const { log, limits } = this.#context;
    if (code === MESSAGE_TOO_BIG && !this.#closed) log.ended(this.device, tooLarge(limits));
    log.left(this.device, code);
    this.#gone = true;
    this.#leaveWhenDone();
  }

  #end(): void {
    this.#closed = true;
    this.#queue.drop();
    this.#endRefusing();
    this.#leaveWhenDone();
  }

  /** Nobody sends any more, and what came is taken or never will be. */
  #leaveWhenDone(): void {
    if (this.#awaited !== null && (this.#closed || this.#assigned >= this.#awaited.seq)) {
      this.#awaited.tell();
      this.#awaited = null;
    }
    const done = this.#closed || (this.#welcomed && this.#queue.count === 0);
    if (!this.#gone || !done || this.#left) return;
    this.#left = true;
    this.#context.onClosed(this);
  }

  #send(message: object): void {
    this.#sendText(JSON.stringify(message));
  }

  #sendText(text: string): void {
    const outcome = this.#socket.sendText(text);
    if (outcome === 'sent') return;
    if (outcome === 'closed') return;
    // A device that reads nothing lets its acks pile up; beyond the limit it has to come back.
    if (outcome === 'dropped' || this.#socket.bufferedBytes() > LIMITS.maxDeviceBacklogBytes) this.#cut();
  }

  /** Without a close frame, which would wait behind all that is not read. */
  #cut(): void {
    if (!this.#closed) {
      const waiting = `${LIMITS.maxDeviceBacklogBytes} bytes of acks and rejects wait to be read`;
      this.#context.log.ended(this.device, new MillraceError('slow_consumer', waiting));
    }
    this.#end();
    this.#socket.terminate();
  }
}

/** The close code of a message beyond what the edge takes at all (RFC 6455, 7.4.1). */
const MESSAGE_TOO_BIG = 1009;

function tooLarge({ maxFrameBytes }: FrameLimits): MillraceError {
  return new MillraceError('frame_too_large', `a frame may have ${maxFrameBytes} bytes`);
}
