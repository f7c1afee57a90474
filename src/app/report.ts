import type { PartState, ReadyReport, ServerStats } from '../api/index.ts';
import type { Settings } from '../config/index.ts';
import { steadyClock } from '../core/index.ts';
import { type DeviceDirectory, type IngestHub, type MqttBridge, sumFrames } from '../ingest/index.ts';
import type { Journal } from '../journal/index.ts';
import type { NetServer } from '../net/index.ts';
import type { Tail } from '../tail/index.ts';
import { type AckLatency, type MetricSources, Rate } from '../telemetry/index.ts';
import type { IngestProcesses } from './ingest-process/host.ts';
import { bridgePart } from './mqtt-bridge.ts';
import type { ServerTime } from './server-time.ts';
import type { WriterProcess } from './writer-process/host.ts';

const RATE_WINDOW_MS = 5_000;

/** The parts that a report speaks of. */
export interface Reported {
  time: ServerTime;
  version: string;
  /** On the steady clock. */
  startedMs: number;
  journal: Journal;
  writer: WriterProcess;
  directory: DeviceDirectory;
  ingest: IngestHub;
  processes: IngestProcesses;
  /** Null when no broker is named. */
  bridge: MqttBridge | null;
  settings: Settings;
  tail: Tail;
  net: Pick<NetServer, 'held'>;
  acks: AckLatency;
  /** Whether the server is about to end. */
  draining: () => boolean;
}

/** What the server tells about itself: to load balancers, to the page and to Prometheus. */
export class Report {
  readonly #parts: Reported;
  readonly #rate = new Rate(RATE_WINDOW_MS);

  constructor(parts: Reported) {
    this.#parts = parts;
  }

  /** What /readyz answers. */
  ready(): ReadyReport {
    const { journal, writer, processes, bridge, settings, time, draining } = this.#parts;
    const { state, reason = null, bytes, pendingBytes, maxBytes } = journal.stats();
    const storeState = writer.storeState();
    const { sinceMs, ...writing } = writer.status();
    const clock = time.part();
    return {
      ingest: draining() ? 'draining' : notTaking(journal, state, clock.state),
      query: draining() ? 'draining' : storeState.state === 'up' ? null : 'store_unavailable',
      parts: {
        journal: { state, reason, bytes, pendingBytes, maxBytes },
        writer: { ...writing, since: new Date(sinceMs).toISOString() },
        store: { kind: writer.store.kind, ...storeState },
        audit: { ...writer.audit() },
        processes: processesPart(processes),
        ...(bridge === null ? {} : { mqttBridge: bridgePart(settings['mqtt-url'] ?? '', bridge.status) }),
        clock,
      },
    };
  }

  /** What the page shows. */
  stats(): ServerStats {
    const { version, startedMs, journal, writer, acks } = this.#parts;
    const ledger = journal.ledger();
    const nowMs = steadyClock.nowMs();
    const { devices, tails } = this.#connections();
    const { state, reason = null, pendingBytes, maxBytes } = journal.stats();
    return {
      devices: { connected: devices },
      tails,
      readings: { perSecond: this.#rate.perSecond(ledger.received, nowMs), total: ledger.received },
      ackMs: { p50: acks.percentile(0.5), p99: acks.percentile(0.99) },
      store: { kind: writer.store.kind, ...writer.storeState() },
      journal: { state, reason, pendingBytes, pendingReadings: ledger.pending, maxBytes },
      writer: writerStats(writer),
      version,
      uptimeS: Math.round((nowMs - startedMs) / 1000),
    };
  }

  /** Where the metrics come from that are read when somebody asks for them. */
  metrics(): MetricSources {
    const { journal, writer, ingest, processes, bridge } = this.#parts;
    return {
      ledger: () => journal.ledger(),
      journal: () => journal.stats(),
      frames: () => sumFrames([ingest.frames, processes.frames]),
      connections: () => this.#connections(),
      tails: () => this.#parts.tail.stats(),
      held: () => this.#parts.net.held(),
      devicesByProcess: () => devicesByProcess(ingest.connections, processes),
      childProcesses: () => ({
        writer: writer.figures(),
        ...byIngestProcess(processes, (it) => it.figures()),
      }),
      bridge: () => bridge?.status ?? null,
      storeUp: () => writer.storeState().state === 'up',
      writer: () => writer.status(),
      audit: () => writer.audit(),
      reads: () => writer.reads(),
    };
  }

  #connections(): { devices: number; tails: number } {
    const { directory, tail } = this.#parts;
    return { devices: directory.connections, tails: tail.stats().connections };
  }
}

/** The writer's state as the page shows it. */
function writerStats(writer: WriterProcess): ServerStats['writer'] {
  const { state, circuit, reason, retryInMs, oldestPendingAgeMs, sinceMs } = writer.status();
  return { state, circuit, reason, retryInMs, oldestPendingAgeMs, since: new Date(sinceMs).toISOString() };
}

/** Why no frames are taken; null while they are. */
function notTaking(journal: Journal, state: string, clock: string): ReadyReport['ingest'] {
  if (clock === 'wrong') return 'clock_wrong';
  if (journal.accepting()) return null;
  return state === 'failed' ? 'journal_failed' : 'journal_full';
}

/** The server takes devices itself, so it counts among them. */
function processesPart({ places }: IngestProcesses): PartState {
  const running = 1 + places.filter(({ ready }) => ready).length;
  const wanted = 1 + places.length;
  return { state: running === wanted ? 'up' : 'starting', running, wanted };
}

/** Device connections by process: the server's own and those of the others. */
function devicesByProcess(own: number, processes: IngestProcesses): Record<string, number> {
  return { server: own, ...byIngestProcess(processes, ({ connections }) => connections) };
}

/** Something of each ingest process, by the name that metrics know it by. */
function byIngestProcess<T>(
  { places }: IngestProcesses,
  of: (place: IngestProcesses['places'][number]) => T,
): Record<string, T> {
  return Object.fromEntries(places.map((place, index) => [`ingest-${index + 1}`, of(place)]));
}
