import { systemClock } from '../../src/core/index.ts';
import {
  DeviceDirectory,
  DeviceLog,
  IngestHub,
  openWebSocket,
  type FrameLimits,
} from '../../src/ingest/index.ts';
import type { Journal } from '../../src/journal/index.ts';
import type { SendOutcome, Socket, SocketHandler, WebSocketRoute } from '../../src/net/index.ts';
import type { Registry } from '../../src/registry/index.ts';
import { recordedLog } from '../fixtures/recorded-log.ts';
import { until } from '../fixtures/until.ts';

export interface Sent {
  type: string;
  seq?: number;
  epoch?: string;
  outbox?: string;
}

/** The edge of a connection whose reader can be made slow. */
export class Wire implements Socket {
  readonly sent: Sent[] = [];
  open = true;
  backlog = 0;
  endedWith: number | null = null;
  endedBecause = '';
  sendText(text: string): SendOutcome {
    this.sent.push(JSON.parse(text) as Sent);
    return 'sent';
  }
  cork(action: () => void): void {
    action();
  }
  bufferedBytes(): number {
    return this.backlog;
  }
  end(code: number, reason: string): void {
    this.endedBecause = reason;
    this.endedWith = code;
  }
  terminate(): void {
    this.open = false;
  }
  acks(): number[] {
    return this.sent.filter((message) => message.type === 'ack').map((message) => message.seq ?? 0);
  }
}

/** A hub whose only way in is the WebSocket. */
export type WireHub = IngestHub & { route: WebSocketRoute };

export function openHub(
  journal: Journal,
  registry: Registry,
  maxConnections = 10,
  log = new DeviceLog(recordedLog().logger),
  limits: Partial<FrameLimits> = {},
): WireHub {
  const hub = new IngestHub({
    journal,
    registry,
    limits: { maxFrameBytes: 4_096, maxUnacked: 8, maxUnackedBytes: 65_536, ...limits },
    directory: new DeviceDirectory(journal, maxConnections),
    authorize: () => {},
    origins: [],
    clock: systemClock,
    guard: { earliestMs: 0 },
    log,
    onAck: () => {},
    onError: () => {},
  });
  const routes: WebSocketRoute[] = [];
  hub.open(openWebSocket, { websocket: (route) => routes.push(route), http: () => {} });
  const [route] = routes;
  if (route === undefined) throw new Error('the way in has no route');
  return Object.assign(hub, { route });
}

/** A connection that has its welcome; rejects as an upgrade that is refused. `more` follows the device in the query. */
export async function connect(
  hub: WireHub,
  device: string,
  more = '',
): Promise<{ wire: Wire; handler: SocketHandler }> {
  const accepted = await hub.route.upgrade({
    path: '/v1/ingest',
    query: `device=${device}${more}`,
    header: () => undefined,
    headers: new Map(),
    subprotocols: [],
    signal: new AbortController().signal,
  });
  const wire = new Wire();
  const handler = accepted.start(wire);
  await until('the welcome', () => wire.sent.some((message) => message.type === 'welcome'));
  return { wire, handler };
}
