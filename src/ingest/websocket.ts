import { LIMITS, MillraceError, messageOf } from '../core/index.ts';
import type { Edge, UpgradeAccepted, UpgradeRequest, WebSocketRoute } from '../net/index.ts';
import { draining } from './admission.ts';
import { FairShares } from './fair-shares.ts';
import type { IngestHub } from './hub.ts';
import { DeviceSession, type SessionContext } from './session.ts';
import type { WayIn } from './way-in.ts';

const SUBPROTOCOL = 'millrace.v1';

/** Opens `GET /v1/ingest`, the way in over the WebSocket. */
export function openWebSocket(hub: IngestHub, edge: Edge): WayIn {
  const way = new WebSocketIngest(hub);
  edge.websocket(way.route);
  return way;
}

/** Device connections over the WebSocket, each with a session that numbers its frames. */
class WebSocketIngest implements WayIn {
  readonly #hub: IngestHub;
  readonly #sessions = new Set<DeviceSession>();
  /** Sessions whose acks wait until the journal takes frames again. */
  readonly #withheld = new Set<DeviceSession>();
  readonly #context: SessionContext;
  readonly #unsubscribe: () => void;

  constructor(hub: IngestHub) {
    this.#hub = hub;
    this.#context = {
      ...hub.parts,
      shares: new FairShares(),
      onWithheld: (session) => this.#withheld.add(session),
      onClosed: (session) => this.#forget(session),
    };
    this.#unsubscribe = hub.parts.journal.onStateChange((_state, accepting) => {
      if (accepting) this.#releaseAcks();
    });
  }

  get route(): WebSocketRoute {
    return {
      path: '/v1/ingest',
      // Twice the limit, so that a frame slightly too large gets our own close code and reason.
      maxMessageBytes: this.#hub.parts.limits.maxFrameBytes * 2,
      maxBackpressureBytes: LIMITS.maxDeviceBacklogBytes * 2,
      idleTimeoutS: LIMITS.idleTimeoutS,
      upgrade: (request) => this.#upgrade(request),
    };
  }

  get connections(): number {
    return this.#sessions.size;
  }

  // Async so that every refusal is a rejection, as the route asks; it waits for nothing (see Responder.release).
  async #upgrade(request: UpgradeRequest): Promise<UpgradeAccepted> {
    const parameters = new URLSearchParams(request.query);
    const identity = this.#hub.admit({
      transport: 'ws',
      header: (name) => request.header(name),
      devices: parameters.getAll('device'),
      outboxes: parameters.getAll('outbox'),
    });
    return {
      protocol: request.subprotocols.includes(SUBPROTOCOL) ? SUBPROTOCOL : '',
      start: (socket) => {
        const session = new DeviceSession(this.#context, identity, socket);
        this.#sessions.add(session);
        void this.#begin(session);
        return session;
      },
    };
  }

  async #begin(session: DeviceSession): Promise<void> {
    const { directory, onError } = this.#hub.parts;
    try {
      this.#hub.admission.refuseWhileDraining();
      const numbers = await directory.claim(session);
      if (numbers !== null) session.welcome(numbers);
    } catch (error) {
      const known = error instanceof MillraceError;
      if (!known) onError(error);
      session.close(known ? error : new MillraceError('journal_failed', messageOf(error), { cause: error }));
    }
  }

  #forget(session: DeviceSession): void {
    this.#sessions.delete(session);
    this.#withheld.delete(session);
    this.#hub.parts.directory.release(session);
  }

  #releaseAcks(): void {
    const waiting = [...this.#withheld];
    this.#withheld.clear();
    for (const session of waiting) session.releaseAck();
  }

  async goaway(reason: string): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.goaway(reason)));
  }

  /** What was durable has been acknowledged; 1012 says come back. */
  end(): void {
    for (const session of this.#sessions) session.close(draining());
    this.#unsubscribe();
  }
}
