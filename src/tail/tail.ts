import { LIMITS, systemClock, type Clock, type MillraceError } from '../core/index.ts';
import type { Journal, SettledTimes } from '../journal/index.ts';
import type { UpgradeRequest, WebSocketRoute } from '../net/index.ts';
import type { Registry } from '../registry/index.ts';
import type { Store } from '../store/index.ts';
import { TailHub } from './hub.ts';
import { TAIL_LIMITS, type TailLimits } from './limits.ts';
import { WebSocketTail } from './websocket.ts';

export interface TailParts {
  journal: Journal;
  registry: Registry;
  store: Pick<Store, 'rows'>;
  clock?: Clock;
  /** The times of what the journal has dropped, as far as they are known. */
  times?: Pick<SettledTimes, 'between'>;
  /** How far ahead of its receipt a row's time may lie; LIMITS.maxTimeAheadMs by default. */
  maxTimeAheadMs?: number;
  /** Hears of defects: errors without a stable code, and journaled frames that cannot be decoded. */
  onDefect?: (error: unknown) => void;
  /** Hears of each connection that the server ends, and why. */
  onEnded?: (error: MillraceError) => void;
  /** Throws a MillraceError that refuses a connection before the upgrade; allows all when left out. */
  authorize?: (request: UpgradeRequest) => void | Promise<void>;
  limits?: Partial<TailLimits>;
}

export interface TailStats {
  connections: number;
  /** Subscriptions, the distinct filters among them, and those that follow the head. */
  subscriptions: number;
  groups: number;
  live: number;
  /** Since the start: rows and messages sent, gaps told, and how often a reader fell behind. */
  rows: number;
  messages: number;
  gaps: number;
  lags: number;
  /** How often a filter was applied to a block, and to how many rows. */
  looks: number;
  rowsLooked: number;
  /** Memory of the filters, about. */
  filterBytes: number;
}

export interface Tail {
  /** `GET /v1/tail` over WebSocket. */
  route: WebSocketRoute;
  /** Asks every client to come back later, and takes no new ones. */
  goaway(reason: string): void;
  /** Ends every connection (1012) and resolves when journal and store are no longer read. */
  close(): Promise<void>;
  stats(): TailStats;
}

/** The live tail over a journal and its store. */
export function createTail(parts: TailParts): Tail {
  const { journal, registry, store, clock = systemClock, maxTimeAheadMs = LIMITS.maxTimeAheadMs } = parts;
  const times = parts.times ?? { between: () => null };
  const limits = { ...TAIL_LIMITS, ...parts.limits };
  const onDefect = parts.onDefect ?? (() => undefined);
  const hub = new TailHub({ journal, registry, store, clock, limits, maxTimeAheadMs, times, onDefect });
  const authorize = parts.authorize ?? (() => undefined);
  const edge = new WebSocketTail({
    hub,
    limits,
    clock,
    authorize,
    onEnded: parts.onEnded ?? (() => undefined),
  });
  return {
    route: edge.route,
    goaway: (reason) => edge.goaway(reason),
    close: async () => {
      edge.close();
      await hub.close();
    },
    stats: () => ({ connections: edge.connections, ...hub.stats() }),
  };
}
