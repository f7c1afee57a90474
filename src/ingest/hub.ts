import {
  LIMITS,
  MillraceError,
  TurnClock,
  isDeviceId,
  isOutboxId,
  messageOf,
  type Clock,
  type ClockGuard,
} from '../core/index.ts';
import { asMillraceError } from '../net/index.ts';
import { refuseWhileClockIsWrong } from './admission.ts';
import type { DeviceJournal } from './device-journal.ts';
import type { DeviceLog } from './device-log.ts';
import type { Directory } from './directory.ts';
import { FrameCounts, type FrameStats } from './frame-counts.ts';
import type { UpgradeAccepted, UpgradeRequest, WebSocketRoute } from '../net/index.ts';
import type { Registry } from '../registry/index.ts';
import { DeviceSession, type SessionContext, type SessionLimits } from './session.ts';

const SUBPROTOCOL = 'millrace.v1';

export interface IngestHubOptions {
  journal: DeviceJournal;
  directory: Directory;
  registry: Pick<Registry, 'resolve'>;
  limits: SessionLimits;
  /** Throws a MillraceError that refuses a connection before the upgrade. */
  authorize(request: UpgradeRequest): void;
  clock: Clock;
  guard: ClockGuard;
  log: DeviceLog;
  onAck(ms: number): void;
  onError(error: unknown): void;
}

/** All device connections of this process: how they begin, what was counted, how they are drained. */
export class IngestHub {
  readonly #options: IngestHubOptions;
  readonly #sessions = new Set<DeviceSession>();
  /** Sessions whose acks wait until the journal takes frames again. */
  readonly #withheld = new Set<DeviceSession>();
  readonly #context: SessionContext;
  readonly #log: DeviceLog;
  readonly #frames = new FrameCounts();
  #draining = false;
  readonly #unsubscribe: () => void;

  constructor(options: IngestHubOptions) {
    this.#options = options;
    const { journal, registry, limits, clock, guard } = options;
    this.#log = options.log;
    this.#context = {
      journal,
      registry,
      limits,
      clock: new TurnClock(clock),
      guard,
      log: this.#log,
      onFrame: (refused) => this.#frames.add(refused),
      onAck: (ms) => options.onAck(ms),
      onWithheld: (session) => this.#withheld.add(session),
      onError: (error) => options.onError(error),
      onClosed: (session) => this.#forget(session),
    };
    this.#unsubscribe = journal.onStateChange((_state, accepting) => {
      if (accepting) this.#releaseAcks();
    });
  }

  /** The route `GET /v1/ingest`. */
  get route(): WebSocketRoute {
    return {
      path: '/v1/ingest',
      // Twice the limit, so that a frame slightly too large gets our own close code and reason.
      maxMessageBytes: this.#options.limits.maxFrameBytes * 2,
      maxBackpressureBytes: LIMITS.maxDeviceBacklogBytes * 2,
      idleTimeoutS: LIMITS.idleTimeoutS,
      upgrade: (request) => this.#upgrade(request),
    };
  }

  get connections(): number {
    return this.#sessions.size;
  }

  get frames(): FrameStats {
    return this.#frames;
  }

  // Async so that every refusal is a rejection, as the route asks; it waits for nothing (see Responder.release).
  async #upgrade(request: UpgradeRequest): Promise<UpgradeAccepted> {
    const parameters = new URLSearchParams(request.query);
    try {
      return this.#admit(request, parameters);
    } catch (error) {
      const device = parameters.get('device') ?? '';
      this.#log.turnedAway(isDeviceId(device) ? device : null, asMillraceError(error));
      throw error;
    }
  }

  #admit(request: UpgradeRequest, parameters: URLSearchParams): UpgradeAccepted {
    this.#options.authorize(request);
    const [device = '', ...more] = parameters.getAll('device');
    if (more.length > 0) throw new MillraceError('device_invalid', 'a connection is of one device');
    if (device === '') {
      throw new MillraceError('device_missing', 'the connection names no device: add ?device=ID');
    }
    if (!isDeviceId(device))
      throw new MillraceError('device_invalid', 'the device id has not the required form');
    const [outboxId = null, ...others] = parameters.getAll('outbox');
    if (others.length > 0) throw new MillraceError('outbox_invalid', 'a connection is of one outbox');
    if (outboxId !== null && !isOutboxId(outboxId))
      throw new MillraceError('outbox_invalid', 'the outbox id has not the required form');
    if (this.#draining) throw new MillraceError('draining', 'the server is stopping');
    refuseWhileClockIsWrong(this.#options.clock, this.#options.guard);
    this.#options.directory.admit();
    return {
      protocol: request.subprotocols.includes(SUBPROTOCOL) ? SUBPROTOCOL : '',
      start: (socket) => {
        const session = new DeviceSession(this.#context, { device, outboxId }, socket);
        this.#sessions.add(session);
        void this.#begin(session);
        return session;
      },
    };
  }

  async #begin(session: DeviceSession): Promise<void> {
    try {
      if (this.#draining) throw new MillraceError('draining', 'the server is stopping');
      const numbers = await this.#options.directory.claim(session);
      if (numbers !== null) session.welcome(numbers);
    } catch (error) {
      const known = error instanceof MillraceError;
      if (!known) this.#options.onError(error);
      session.close(known ? error : new MillraceError('journal_failed', messageOf(error), { cause: error }));
    }
  }

  #forget(session: DeviceSession): void {
    this.#sessions.delete(session);
    this.#withheld.delete(session);
    this.#options.directory.release(session);
  }

  #releaseAcks(): void {
    const waiting = [...this.#withheld];
    this.#withheld.clear();
    for (const session of waiting) session.releaseAck();
  }

  /**
   * Says goaway to every device, makes what they sent durable, acknowledges it, and ends the connections
   * with 1012 (come back).
   */
  async drain(reason: string): Promise<void> {
    this.#draining = true;
    for (const session of this.#sessions) session.goaway(reason);
    try {
      await this.#options.journal.flush();
    } catch (error) {
      this.#options.onError(error);
    }
    for (const session of this.#sessions) {
      session.close(new MillraceError('draining', 'the server is stopping'));
    }
    this.#unsubscribe();
    this.#log.tellMore();
  }
}
