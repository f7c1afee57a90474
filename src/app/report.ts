import type { PartState, ReadyReport, ServerStats } from '../api/index.ts';
import type { Journal } from '../journal/index.ts';
import type { WriterStatus } from '../writer/index.ts';
import type { IngestProcesses } from './ingest-process/host.ts';
import type { WriterProcess } from './writer-process/host.ts';

/** The writer's state as the page shows it. */
export function writerStats(status: WriterStatus): ServerStats['writer'] {
  const { state, circuit, reason, retryInMs, oldestPendingAgeMs, sinceMs } = status;
  return { state, circuit, reason, retryInMs, oldestPendingAgeMs, since: new Date(sinceMs).toISOString() };
}

/** What /readyz answers. */
export function readyReport(
  draining: boolean,
  journal: Journal,
  writer: WriterProcess,
  processes: IngestProcesses,
): ReadyReport {
  const { state, reason = null, bytes, pendingBytes, maxBytes } = journal.stats();
  const storeState = writer.storeState();
  const { sinceMs, ...writing } = writer.status();
  return {
    ingest: draining
      ? 'draining'
      : journal.accepting()
        ? null
        : state === 'failed'
          ? 'journal_failed'
          : 'journal_full',
    query: draining ? 'draining' : storeState.state === 'up' ? null : 'store_unavailable',
    parts: {
      journal: { state, reason, bytes, pendingBytes, maxBytes },
      writer: { ...writing, since: new Date(sinceMs).toISOString() },
      store: { kind: writer.store.kind, ...storeState },
      audit: { ...writer.audit() },
      processes: processesPart(processes),
    },
  };
}

/** The server takes devices itself, so it counts among them. */
function processesPart({ places }: IngestProcesses): PartState {
  const running = 1 + places.filter(({ ready }) => ready).length;
  const wanted = 1 + places.length;
  return { state: running === wanted ? 'up' : 'starting', running, wanted };
}

/** Device connections by process: the server's own and those of the others. */
export function devicesByProcess(own: number, { places }: IngestProcesses): Record<string, number> {
  const others = places.map(({ connections }, index) => [`ingest-${index + 1}`, connections] as const);
  return { server: own, ...Object.fromEntries(others) };
}
