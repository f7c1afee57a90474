import { Link } from './link.ts';
import type { LinkState, Surroundings } from './link.ts';
import { Outbox, ProtocolViolation } from './outbox.ts';
import type { KeptFrame, NumbersFault, OutboxLimits, SavedOutbox } from './outbox.ts';
import { INGEST_SUBPROTOCOL, parseIngestMessage } from './protocol.ts';
import type { IngestServerMessage, Welcome } from './protocol.ts';

export interface IngestOptions extends Surroundings {
  /** `ws://HOST:PORT` or `wss://…`; the route `/v1/ingest` is added where there is no path. */
  url: string;
  device: string;
  /** How much is kept while the gateway is away; default 10,000 frames and 16 MiB. */
  outbox?: OutboxLimits;
  /** An outbox from before, as `save()` gave it; default a new one, whose id is made at random. */
  saved?: SavedOutbox;
  /** A frame's fate: taken (`refusal` null), or refused. Once per frame, in order of sending. */
  onSettled?(frame: KeptFrame, nowMs: number): void;
  /** Called for each welcome. */
  onWelcome?(welcome: Welcome): void;
  /** Called before `onWelcome` when the gateway's numbers cannot be; default: a warning on the console. */
  onNumbersFault?(fault: NumbersFault): void;
  onState?(state: LinkState): void;
}

const DEFAULT_OUTBOX: OutboxLimits = { maxFrames: 10_000, maxBytes: 16 * 1024 * 1024 };
/** With frames in flight and no ack for this long, the connection is taken for dead. */
const ACK_TIMEOUT_MS = 60_000;
/** After a goaway the acks of what is in flight are awaited this long. */
const LEAVE_TIMEOUT_MS = 5_000;

/**
 * Streams frames of one device to a gateway, each until it is acknowledged, across reconnects: nothing is
 * lost and nothing comes twice as long as this object lives.
 */
export class IngestClient {
  readonly #options: IngestOptions;
  readonly #outbox: Outbox;
  readonly #link: Link;
  #state: LinkState['name'] = 'connecting';
  /** From a goaway on: nothing more is sent, the last acks are awaited. */
  #leaving = false;
  #cancelLeave: () => void = () => {};
  #watching = false;
  #cancelWatch: () => void = () => {};
  #progressAtMs = 0;
  #waiters: (() => void)[] = [];

  /** Connects at once. Throws for a malformed URL. */
  constructor(options: IngestOptions) {
    this.#options = options;
    this.#outbox = new Outbox(options.outbox ?? DEFAULT_OUTBOX, options.saved);
    this.#link = new Link(
      ingestUrl(options.url, options.device, this.#outbox.id),
      [INGEST_SUBPROTOCOL],
      options,
      {
        onOpen: () => {},
        onText: (text) => this.#receive(text),
        onDown: () => this.#down(),
        onState: (state) => this.#changed(state),
      },
    );
    this.#link.connect();
  }

  get state(): LinkState['name'] {
    return this.#state;
  }

  /** Frames that are neither taken nor refused yet. */
  get unacknowledged(): number {
    return this.#outbox.size;
  }

  /** Those of them that have not been sent even once. */
  neverSent(): KeptFrame[] {
    return this.#outbox.neverSent();
  }

  /** What is to be written down to go on with in another program. */
  save(): SavedOutbox {
    return this.#outbox.save();
  }

  /**
   * Sends a frame now or as soon as the window and the connection allow. False when the outbox is full or
   * the client has stopped: the frame is not kept. The bytes must not change until it is settled.
   */
  send(bytes: Uint8Array, readings = 1): boolean {
    if (this.#state === 'stopped' || !this.#outbox.add(bytes, readings)) return false;
    this.#pump();
    return true;
  }

  /** Resolves true when every frame is settled, false when the client stopped or the time is over. */
  async flushed(timeoutMs: number): Promise<boolean> {
    if (this.#outbox.size > 0 && this.#state !== 'stopped') {
      await new Promise<void>((resolve) => {
        const cancel = this.#link.timers.after(timeoutMs, resolve);
        this.#waiters.push(() => {
          cancel();
          resolve();
        });
      });
    }
    return this.#outbox.size === 0;
  }

  /** Closes the connection. Frames that are not acknowledged may be stored or not. */
  close(): void {
    this.#link.close();
  }

  #receive(text: string): void {
    const message = parseIngestMessage(text);
    if (message === null) return;
    try {
      this.#apply(message);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#link.renew(error.message);
    }
  }

  #apply(message: IngestServerMessage): void {
    switch (message.type) {
      case 'welcome': {
        const { durable, fault } = this.#outbox.welcome(message);
        this.#progressAtMs = this.#link.timers.nowMs();
        this.#link.greeted();
        if (fault !== null) this.#report(fault);
        this.#options.onWelcome?.(message);
        this.#settled(durable);
        return;
      }
      case 'ack': {
        const settled = this.#outbox.ack(message.seq);
        if (settled.length > 0) this.#link.worked();
        this.#settled(settled);
        return;
      }
      case 'reject':
        this.#outbox.reject(message.seq, message.code, message.message);
        return;
      case 'goaway':
        this.#leaving = true;
        this.#cancelLeave();
        this.#cancelLeave = this.#link.timers.after(LEAVE_TIMEOUT_MS, () => this.#link.renew('goaway'));
        this.#pump();
    }
  }

  #report(fault: NumbersFault): void {
    const options = this.#options;
    if (options.onNumbersFault === undefined) console.warn(faultText(options.device, fault));
    else options.onNumbersFault(fault);
  }

  #down(): void {
    this.#outbox.disconnect();
    this.#leaving = false;
    this.#cancelLeave();
    this.#cancelWatch();
    this.#watching = false;
  }

  #settled(frames: readonly KeptFrame[]): void {
    const nowMs = this.#link.timers.nowMs();
    this.#progressAtMs = nowMs;
    for (const frame of frames) this.#options.onSettled?.(frame, nowMs);
    this.#pump();
  }

  #pump(): void {
    if (this.#leaving) {
      if (this.#outbox.inFlight === 0) this.#link.finish();
      return;
    }
    const nowMs = this.#link.timers.nowMs();
    if (this.#outbox.inFlight === 0) this.#progressAtMs = nowMs;
    for (let frame = this.#outbox.next(nowMs); frame !== undefined; frame = this.#outbox.next(nowMs)) {
      if (frame.refusal === null) this.#link.send(frame.bytes);
      else this.#options.onSettled?.(frame, nowMs);
    }
    if (this.#outbox.size === 0) this.#wake();
    if (this.#outbox.inFlight > 0 && !this.#watching) this.#watch(ACK_TIMEOUT_MS);
  }

  /** One timer while anything is in flight, not one per frame. */
  #watch(delayMs: number): void {
    this.#watching = true;
    this.#cancelWatch = this.#link.timers.after(delayMs, () => {
      this.#watching = false;
      if (this.#outbox.inFlight === 0) return;
      const silentMs = this.#link.timers.nowMs() - this.#progressAtMs;
      if (silentMs >= ACK_TIMEOUT_MS) this.#link.renew('no ack in time');
      else this.#watch(ACK_TIMEOUT_MS - silentMs);
    });
  }

  #changed(state: LinkState): void {
    this.#state = state.name;
    if (state.name === 'stopped') {
      this.#down();
      this.#wake();
    }
    this.#options.onState?.(state);
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

function faultText(device: string, { kind, seq, from, to }: NumbersFault): string {
  const why =
    kind === 'ahead' ? 'another program sends under its name' : 'the gateway was restored from a backup';
  return `${device} was welcomed at ${seq}, expected ${from} to ${to}: ${why}. Frames may come twice.`;
}

/** The address to connect to. Throws a TypeError for a malformed URL. */
export function ingestUrl(url: string, device: string, outboxId: string | null): string {
  const address = new URL(url);
  if (address.pathname === '/') address.pathname = '/v1/ingest';
  address.searchParams.set('device', device);
  if (outboxId !== null) address.searchParams.set('outbox', outboxId);
  return address.href;
}
