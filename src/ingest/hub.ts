import { LIMITS, MillraceError, isDeviceId, messageOf, type Clock } from '../core/index.ts';
import type { Journal } from '../journal/index.ts';
import type { UpgradeAccepted, UpgradeRequest, WebSocketRoute } from '../net/index.ts';
import type { Registry } from '../registry/index.ts';
import { refuseUnlessAccepting } from './admission.ts';
import { DeviceSession, type SessionContext, type SessionLimits } from './session.ts';

const SUBPROTOCOL = 'millrace.v1';

export interface IngestOptions {
  journal: Journal;
  registry: Registry;
  limits: SessionLimits;
  maxConnections: number;
  /** Throws a MillraceError that refuses a connection before the upgrade. */
  authorize(request: UpgradeRequest): void;
  clock: Clock;
  onAck(ms: number): void;
  onError(error: unknown): void;
}

/** All device connections of this process: who is connected, what was counted, how they are drained. */
export class IngestHub {
  readonly #options: IngestOptions;
  readonly #sessions = new Map<string, DeviceSession>();
  /** Sessions whose acks wait until the journal takes frames again. */
  readonly #withheld = new Set<DeviceSession>();
  readonly #context: SessionContext;
  #open = 0;
  #received = 0;
  #rejected = 0;
  #draining = false;
  readonly #unsubscribe: () => void;

  constructor(options: IngestOptions) {
    this.#options = options;
    const { journal, registry, limits, clock } = options;
    this.#context = {
      journal,
      registry,
      limits,
      clock,
      onFrame: (refused) => {
        this.#received++;
        if (refused) this.#rejected++;
      },
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

  isConnected(device: string): boolean {
    return this.#sessions.has(device);
  }

  stats(): { connections: number; received: number; rejected: number } {
    return { connections: this.#open, received: this.#received, rejected: this.#rejected };
  }

  // Async so that every refusal is a rejection, as the route asks.
  async #upgrade(request: UpgradeRequest): Promise<UpgradeAccepted> {
    const { journal, maxConnections } = this.#options;
    this.#options.authorize(request);
    const [device = '', ...more] = new URLSearchParams(request.query).getAll('device');
    if (more.length > 0) throw new MillraceError('device_invalid', 'a connection is of one device');
    if (device === '') {
      throw new MillraceError('device_missing', 'the connection names no device: add ?device=ID');
    }
    if (!isDeviceId(device))
      throw new MillraceError('device_invalid', 'the device id has not the required form');
    if (this.#draining) throw new MillraceError('draining', 'the server is stopping');
    refuseUnlessAccepting(journal);
    if (this.#open >= maxConnections) {
      throw new MillraceError('too_many_connections', `the limit is ${maxConnections} device connections`);
    }
    return {
      protocol: request.subprotocols.includes(SUBPROTOCOL) ? SUBPROTOCOL : '',
      start: (socket) => {
        this.#open++;
        const session = new DeviceSession(this.#context, device, socket);
        const older = this.#sessions.get(device);
        this.#sessions.set(device, session);
        older?.close(new MillraceError('replaced', 'a newer connection of this device took over'));
        void this.#begin(session);
        return session;
      },
    };
  }

  /**
   * The welcome counts what is on disk, so frames of an earlier connection of the device that are still on
   * their way must get there first.
   */
  async #begin(session: DeviceSession): Promise<void> {
    try {
      if (this.#draining) session.close(new MillraceError('draining', 'the server is stopping'));
      if (this.#options.journal.stats().queuedBytes > 0) await this.#options.journal.flush();
      if (this.#sessions.get(session.device) === session) session.welcome();
    } catch (error) {
      session.close(new MillraceError('journal_failed', messageOf(error), { cause: error }));
    }
  }

  #forget(session: DeviceSession): void {
    this.#open--;
    this.#withheld.delete(session);
    if (this.#sessions.get(session.device) === session) this.#sessions.delete(session.device);
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
    for (const session of this.#sessions.values()) session.goaway(reason);
    try {
      await this.#options.journal.flush();
    } catch (error) {
      this.#options.onError(error);
    }
    for (const session of this.#sessions.values()) {
      session.close(new MillraceError('draining', 'the server is stopping'));
    }
    this.#unsubscribe();
  }
}
