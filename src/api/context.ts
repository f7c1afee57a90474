import type { AnswerSource } from '../answers/index.ts';
import type { Clock, ErrorCode } from '../core/index.ts';
import type { Journal, LetterFilter } from '../journal/index.ts';
import type { Registry } from '../registry/index.ts';
import type { Store } from '../store/index.ts';

/** What /readyz tells. */
export interface ReadyReport {
  /** Why frames are not taken now; null while they are. */
  ingest: ErrorCode | null;
  /** Why queries are not answered now; null while they are. */
  query: ErrorCode | null;
  /** By part: journal, store … */
  parts: Readonly<Record<string, PartState>>;
}

/** The state of one part: `state` is a word for programs, the rest its figures. */
export interface PartState {
  state: string;
  [figure: string]: string | number | boolean | null;
}

/** What streams now, for the page. Rates are of the last seconds, latencies of the last acks. */
export interface ServerStats {
  devices: { connected: number };
  tails: number;
  readings: { perSecond: number; total: number };
  /** Milliseconds; null before the first ack. */
  ackMs: { p50: number | null; p99: number | null };
  store: { kind: string; state: string; reason: string | null };
  journal: {
    state: string;
    reason: string | null;
    pendingBytes: number;
    pendingReadings: number;
    maxBytes: number;
  };
  /** The way from the journal to the store. Times in milliseconds; null where there is none. */
  writer: {
    state: string;
    circuit: string;
    reason: string | null;
    retryInMs: number | null;
    oldestPendingAgeMs: number | null;
    since: string;
  };
  version: string;
  uptimeS: number;
}

/** What became of dead letters that were tried again. `refused` may be shorter than `refusedTotal`. */
export interface ReplayReport {
  replayed: number;
  pending: number;
  refused: readonly { id: string; code: string; message: string }[];
  refusedTotal: number;
}

/** What the routes read from. */
export interface ApiContext {
  journal: Pick<Journal, 'epoch' | 'settledPosition' | 'ledger' | 'deadLetters' | 'deadLetter'>;
  registry: Pick<Registry, 'measurements' | 'measurement' | 'resolve' | 'subjects' | 'versions'>;
  store: Pick<Store, 'devices' | 'device'>;
  answers: AnswerSource;
  clock: Clock;
  /** The store's time for one query. */
  queryTimeoutMs: number;
  status: () => ReadyReport;
  stats: () => ServerStats;
  metrics: () => Promise<{ contentType: string; body: string }>;
  /** Tries dead letters again: those of the ids, or all. Rejects with `journal_failed`. */
  replay: (request: { ids: readonly string[] } | { filter: LetterFilter }) => Promise<ReplayReport>;
  /** Whether a device has a connection now. */
  connected: (device: string) => boolean;
}
