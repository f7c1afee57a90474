import type { ReadyReport, ServerStats } from '../api/index.ts';
import type { Journal } from '../journal/index.ts';
import type { WriterStatus } from '../writer/index.ts';
import type { WriterProcess } from './writer-process/host.ts';

/** The writer's state as the page shows it. */
export function writerStats(status: WriterStatus): ServerStats['writer'] {
  const { state, circuit, reason, retryInMs, oldestPendingAgeMs, sinceMs } = status;
  return { state, circuit, reason, retryInMs, oldestPendingAgeMs, since: new Date(sinceMs).toISOString() };
}

/** What /readyz answers. */
export function readyReport(draining: boolean, journal: Journal, writer: WriterProcess): ReadyReport {
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
    },
  };
}
