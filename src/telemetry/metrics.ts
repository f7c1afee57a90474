import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { CLOSING_CODES, FRAME_CODES, TRANSPORTS, type ErrorCode } from '../core/index.ts';
import { observeChildProcesses, type ChildProcesses } from './process-metrics.ts';
import { observeBridge, type BridgeFigures } from './bridge-metrics.ts';

/** Values that are read at the moment of a scrape instead of being counted along the way. */
export interface MetricSources {
  /** Readings by state, for each way in. */
  ledger(): { byTransport: Readonly<Record<string, object>> };
  /** Frames that came, and those refused by the code of their refusal. */
  frames(): { received: number; rejected: ReadonlyMap<ErrorCode, number> };
  journal(): {
    state: string;
    bytes: number;
    maxBytes: number;
    pendingBytes: number;
    queuedBytes: number;
    lettersDropped: number;
  };
  connections(): { devices: number; tails: number };
  /** Counts since the start of the server. */
  tails(): {
    rows: number;
    messages: number;
    gaps: number;
    lags: number;
    looks: number;
    filterBytes: number;
  };
  /** Bytes held for connections, and how many that may be, by what they are. */
  held(): Readonly<Record<'unread' | 'bodies', { bytes: number; limit: number }>>;
  /** Device connections of each process that takes some, by its name. */
  devicesByProcess(): Readonly<Record<string, number>>;
  /** The writer and the ingest processes. */
  childProcesses(): ChildProcesses;
  /** The bridge from an MQTT broker; null where there is none. */
  bridge(): BridgeFigures | null;
  storeUp(): boolean;
  audit(): { checked: number; missing: number };
  /** Reads of the store by size; null while there is none. */
  reads(): { small: ReadFigures; large: ReadFigures; heldBytes: number; cut: number } | null;
  writer(): {
    circuit: string;
    oldestPendingAgeMs: number | null;
    storeMissingFrames: number;
    endedInARow: number;
    journalMissingFrames: number;
  };
}

/** See src/answers, which counts them. */
interface ReadFigures {
  working: number;
  waiting: number;
  open: number;
  queued: number;
  parked: number;
}

/** What is told of the program that runs. */
export interface BuildFacts {
  version: string;
  edge: string;
  store: string;
}

/** Failures of the store that have their counters from the start; rarer ones get theirs when they come. */
const STORE_FAILURES = [
  'internal',
  'store_refused',
  'store_unavailable',
  ...[401, 403, 404, 413, 429, 500, 503].map((status) => `http_${status}`),
];

/** The program's metrics, in the Prometheus text form; all names begin with `millrace_`. */
export class Metrics {
  readonly #registry = new Registry();
  readonly ackSeconds: Histogram;
  readonly storeWriteSeconds: Histogram;
  readonly storeWriteFailures: Counter<'kind'>;
  readonly storeRetries: Counter;
  readonly expiredReadings: Counter<'transport' | 'limit'>;
  readonly httpSeconds: Histogram<'route' | 'status'>;
  /** Connections that the server ended, by error code. */
  readonly ended: Counter<'code'>;

  constructor(build: BuildFacts) {
    const registers = [this.#registry];
    new Gauge({
      name: 'millrace_build_info',
      help: 'Always 1: what runs, by its version, the version of Node, the edge that serves the port, and the store',
      labelNames: ['version', 'node', 'edge', 'store'],
      registers,
    }).set({ node: process.versions.node, ...build }, 1);
    collectDefaultMetrics({ register: this.#registry, prefix: 'millrace_' });
    this.ackSeconds = new Histogram({
      name: 'millrace_ack_seconds',
      help: 'From the arrival of the oldest frame that an ack covers to the sending of that ack',
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5],
      registers,
    });
    this.storeWriteSeconds = new Histogram({
      name: 'millrace_store_write_seconds',
      help: 'Time of one store write',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30],
      registers,
    });
    this.storeWriteFailures = new Counter({
      name: 'millrace_store_write_failures_total',
      help: 'Store writes and probes that failed, by error code or HTTP status',
      labelNames: ['kind'],
      registers,
    });
    this.storeRetries = new Counter({
      name: 'millrace_store_retries_total',
      help: 'Tries after a store write or probe that failed',
      registers,
    });
    this.expiredReadings = new Counter({
      name: 'millrace_journal_expired_readings_total',
      help: 'Acknowledged readings given up at a limit of the journal, since the start',
      labelNames: ['transport', 'limit'],
      registers,
    });
    this.httpSeconds = new Histogram({
      name: 'millrace_http_request_seconds',
      help: 'Time to answer a request, streaming excluded',
      labelNames: ['route', 'status'],
      registers,
    });
    this.ended = new Counter({
      name: 'millrace_connections_ended_total',
      help: 'Connections that the server ended, by error code',
      labelNames: ['code'],
      registers,
    });
    // Counters that begin at 0 show their first rise, too.
    for (const code of CLOSING_CODES) this.ended.inc({ code }, 0);
    for (const kind of STORE_FAILURES) this.storeWriteFailures.inc({ kind }, 0);
    for (const transport of TRANSPORTS) {
      for (const limit of ['bytes', 'age']) this.expiredReadings.inc({ transport, limit }, 0);
    }
  }

  /** Adds what is known only by asking the parts. Call once. */
  observe(sources: MetricSources): void {
    const registers = [this.#registry];
    const gauge = (name: string, help: string, read: () => number): void => {
      void new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    };
    const counter = (name: string, help: string, read: () => number): void => {
      void new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    };
    void new Gauge({
      name: 'millrace_ledger_readings',
      help: 'Readings by what became of them and by their way in; received is the sum of the others',
      labelNames: ['state', 'transport'],
      registers,
      collect() {
        for (const [transport, counts] of Object.entries(sources.ledger().byTransport)) {
          for (const [state, count] of Object.entries(counts)) this.set({ state, transport }, Number(count));
        }
      },
    });
    counter('millrace_frames_received_total', 'Frames that devices sent', () => sources.frames().received);
    void new Counter({
      name: 'millrace_frames_rejected_total',
      help: 'Frames refused before the ack, by error code',
      labelNames: ['code'],
      registers,
      collect() {
        this.reset();
        // Counters that begin at 0 show their first rise, too.
        for (const code of FRAME_CODES) this.inc({ code }, 0);
        for (const [code, count] of sources.frames().rejected) this.inc({ code }, count);
      },
    });
    void new Gauge({
      name: 'millrace_journal_state',
      help: '1 for the state that the journal is in',
      labelNames: ['state'],
      registers,
      collect() {
        for (const state of ['open', 'filling', 'full', 'failed']) {
          this.set({ state }, sources.journal().state === state ? 1 : 0);
        }
      },
    });
    void new Gauge({
      name: 'millrace_store_reads',
      help:
        'Reads by size: those that the store works for, and that wait for its work; answers that are open, ' +
        'parked while their readers take nothing, and queued to be opened',
      labelNames: ['size', 'state'],
      registers,
      collect() {
        const reads = sources.reads();
        for (const size of ['small', 'large'] as const) {
          for (const state of ['working', 'waiting', 'open', 'parked', 'queued'] as const) {
            this.set({ size, state }, reads?.[size][state] ?? 0);
          }
        }
      },
    });
    gauge(
      'millrace_answer_held_bytes',
      'Bytes of answers that are made and not taken by their readers',
      () => sources.reads()?.heldBytes ?? 0,
    );
    counter(
      'millrace_answers_cut_total',
      'Answers ended as their readers took nothing, since the start of the writer process',
      () => sources.reads()?.cut ?? 0,
    );
    counter(
      'millrace_dead_letters_dropped_total',
      'Dead letters that their limits removed, and refused frames that became none',
      () => sources.journal().lettersDropped,
    );
    gauge('millrace_journal_bytes', 'Bytes of journal kept', () => sources.journal().bytes);
    gauge(
      'millrace_journal_limit_bytes',
      'Limit of its bytes (journal-max-bytes), at which acks are withheld',
      () => sources.journal().maxBytes,
    );
    gauge(
      'millrace_journal_pending_bytes',
      'Bytes of journal not in the store yet',
      () => sources.journal().pendingBytes,
    );
    gauge(
      'millrace_journal_queued_bytes',
      'Bytes taken and not on disk yet',
      () => sources.journal().queuedBytes,
    );
    observeChildProcesses(this.#registry, () => sources.childProcesses());
    gauge('millrace_device_connections', 'Devices connected', () => sources.connections().devices);
    void new Gauge({
      name: 'millrace_process_device_connections',
      help: 'Devices connected, by the process that has the connection',
      labelNames: ['process'],
      registers,
      collect() {
        this.reset();
        for (const [process, count] of Object.entries(sources.devicesByProcess()))
          this.set({ process }, count);
      },
    });
    gauge('millrace_tail_connections', 'Tails connected', () => sources.connections().tails);
    counter('millrace_tail_rows_total', 'Rows sent to tails', () => sources.tails().rows);
    counter('millrace_tail_messages_total', 'Messages sent to tails', () => sources.tails().messages);
    counter(
      'millrace_tail_filter_looks_total',
      'Times that the filter of a tail was applied to a block',
      () => sources.tails().looks,
    );
    gauge(
      'millrace_tail_filter_bytes',
      'Memory of the filters of all tails, about',
      () => sources.tails().filterBytes,
    );
    counter('millrace_tail_gaps_total', 'Gaps that tails were told of', () => sources.tails().gaps);
    counter(
      'millrace_tail_lags_total',
      'Times that a tail fell behind because it is read too slowly',
      () => sources.tails().lags,
    );
    for (const [name, help, of] of [
      ['bytes', 'Bytes held for connections: answers and messages not read, bodies received', 'bytes'],
      ['limit_bytes', 'How many that may be, beyond which whoever has most is ended', 'limit'],
    ] as const) {
      void new Gauge({
        name: `millrace_held_${name}`,
        help,
        labelNames: ['kind'],
        registers,
        collect() {
          for (const [kind, held] of Object.entries(sources.held())) this.set({ kind }, held[of]);
        },
      });
    }
    gauge('millrace_journal_oldest_pending_seconds', 'Age of the oldest frame not in the store yet', () => {
      return (sources.writer().oldestPendingAgeMs ?? 0) / 1000;
    });
    void new Gauge({
      name: 'millrace_store_circuit',
      help: '1 for the state of the circuit breaker before the store',
      labelNames: ['state'],
      registers,
      collect() {
        const { circuit } = sources.writer();
        for (const state of ['closed', 'open', 'half-open']) this.set({ state }, state === circuit ? 1 : 0);
      },
    });
    gauge(
      'millrace_writer_ends_in_a_row',
      'Writer processes that ended one after another at the same frames',
      () => sources.writer().endedInARow,
    );
    gauge(
      'millrace_store_missing_frames',
      'Frames that the store lost and the journal does not keep any more',
      () => sources.writer().storeMissingFrames,
    );
    gauge(
      'millrace_journal_missing_frames',
      'Frames that the store has and the journal lost',
      () => sources.writer().journalMissingFrames,
    );
    counter(
      'millrace_audit_checked_total',
      'Stored points that the audit looked for',
      () => sources.audit().checked,
    );
    counter('millrace_audit_missing_total', 'Points that it did not find', () => sources.audit().missing);
    observeBridge(this.#registry, () => sources.bridge());
    gauge('millrace_store_up', '1 while the store answers', () => (sources.storeUp() ? 1 : 0));
  }

  /** The scrape's answer. */
  async expose(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }
}
