import { LIMITS, type ErrorCode, type MillraceError, type Transport } from '../core/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { Repeats } from './repeats.ts';

/** What can happen to clients again and again, in the words of the log. */
const EVENTS = {
  frame: { first: 'a frame was refused', more: 'more frames were refused' },
  connection: { first: 'a device connection was ended', more: 'more device connections were ended' },
  upgrade: { first: 'a device was turned away', more: 'more devices were turned away' },
  tail: { first: 'a tail was ended', more: 'more tails were ended' },
  http: { first: 'an HTTP connection was cut', more: 'more HTTP connections were cut' },
} as const;
type Event = keyof typeof EVENTS;
/** Those of readers, who have no names: their codes alone are kept apart. */
const NAMELESS: ReadonlySet<Event> = new Set(['tail', 'http']);

/** Ends that the server plans, which concern all devices alike. */
const PLANNED: ReadonlySet<ErrorCode> = new Set(['draining']);

/**
 * Tells the operator what becomes of devices and their frames, and of tails that the server ends. The first event of each
 * device and code is a line of its own, and those that follow within a minute are one line with their number, so that a
 * device that sends nothing but rubbish fills no log.
 */
export class DeviceLog {
  readonly #logger: Pick<Logger, 'info' | 'debug'>;
  readonly #repeats: Readonly<Record<Event, Repeats>> = {
    frame: new Repeats(LIMITS.deviceLogEntries),
    connection: new Repeats(LIMITS.deviceLogEntries),
    upgrade: new Repeats(LIMITS.deviceLogEntries),
    tail: new Repeats(LIMITS.deviceLogEntries),
    http: new Repeats(LIMITS.deviceLogEntries),
  };
  readonly #onEnded: (code: ErrorCode) => void;
  #timer: NodeJS.Timeout | null = null;

  /** `onEnded` hears the code of every connection that the server ends, those that are not told one by one too. */
  constructor(logger: Pick<Logger, 'info' | 'debug'>, onEnded: (code: ErrorCode) => void = () => {}) {
    this.#logger = logger;
    this.#onEnded = onEnded;
  }

  connected(device: string, seq: number): void {
    this.#logger.debug({ device, seq }, 'a device connected');
  }

  /** A connection is gone, whoever ended it; `closeCode` as the socket tells it. */
  left(device: string, closeCode: number): void {
    this.#logger.debug({ device, closeCode }, 'a device left');
  }

  /** `seq` is null for a way in that does not number frames. */
  frameRefused(
    device: string,
    transport: Transport,
    seq: number | null,
    { code, message }: MillraceError,
  ): void {
    if (!this.#isFirst('frame', device, code)) return;
    this.#logger.info({ device, transport, seq, code, reason: message }, EVENTS.frame.first);
  }

  /** The server ends a connection. */
  ended(device: string, error: MillraceError): void {
    const { code, message } = error;
    this.#onEnded(code);
    if (PLANNED.has(code)) {
      this.#logger.debug({ device, code, reason: message }, EVENTS.connection.first);
    } else if (this.#isFirst('connection', device, code)) {
      this.#logger.info({ device, code, reason: message }, EVENTS.connection.first);
    }
  }

  /** A connection is refused before its upgrade; `device` is null where it names none in the required form. */
  turnedAway(device: string | null, { code, message }: MillraceError): void {
    if (!this.#isFirst('upgrade', device ?? '', code)) return;
    this.#logger.info({ device, code, reason: message }, EVENTS.upgrade.first);
  }

  /** The server, or the way through another process, ends a tail's connection. */
  tailEnded(error: MillraceError): void {
    this.#readerEnded('tail', error);
  }

  /** The server cuts the connection of an HTTP client. */
  httpEnded(error: MillraceError): void {
    this.#readerEnded('http', error);
  }

  #readerEnded(event: 'tail' | 'http', { code, message }: MillraceError): void {
    this.#onEnded(code);
    if (PLANNED.has(code)) this.#logger.debug({ code, reason: message }, EVENTS[event].first);
    else if (this.#isFirst(event, '', code)) {
      this.#logger.info({ code, reason: message }, EVENTS[event].first);
    }
  }

  /** Tells what was counted since. By itself it does so every LIMITS.deviceLogMs. */
  tellMore(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const event of Object.keys(EVENTS) as Event[]) {
      for (const { device, code, more } of this.#repeats[event].take()) {
        this.#logger.info({ ...(NAMELESS.has(event) ? {} : { device }), code, more }, EVENTS[event].more);
      }
      if (!this.#repeats[event].empty) this.#arm();
    }
  }

  #isFirst(event: Event, device: string, code: ErrorCode): boolean {
    if (!this.#repeats[event].isFirst(device, code)) return false;
    this.#arm();
    return true;
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => this.tellMore(), LIMITS.deviceLogMs).unref();
  }
}
