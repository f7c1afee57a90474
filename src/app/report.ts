import type { ReadyReport, ServerStats } from '../api/index.ts';
import type { Journal } from '../journal/index.ts';
import type { Store } from '../store/index.ts';
import type { Audit, Writer } from '../writer/index.ts';

/** The writer's state as the page shows it. */
export function writerStats(writer: Writer): ServerStats['writer'] {
  const { state, circuit, reason, retryInMs, oldestPendingAgeMs, sinceMs } = writer.status();
  return { state, circuit, reason, retryInMs, oldestPendingAgeMs, since: new Date(sinceMs).toISOString() };
}

/** What /readyz answers. */
export function readyReport(
  draining: boolean,
  journal: Journal,
  store: Store,
  writer: Writer,
  audit: Audit,
): ReadyReport {
  const { state, reason = null, bytes, pendingBytes, maxBytes } = journal.stats();
  const storeState = store.state();
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
      store: { kind: store.kind, ...storeState },
      audit: { ...audit.status() },
    },
  };
}
