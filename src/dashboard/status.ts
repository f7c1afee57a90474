import type { LinkState } from '../client/index.ts';
import { formatBytes, formatClock, formatCount } from './format.ts';
import type { Stats } from './payloads.ts';

/** How things stand, in one word, and in one sentence where there is something to say. */
export interface Status {
  tone: 'live' | 'busy' | 'warn' | 'down';
  label: string;
  notice: string | null;
}

export interface StatusInputs {
  link: LinkState;
  /** The newest numbers; null before the first. */
  stats: Stats | null;
  /** Why the last poll failed; null when it did not. */
  problem: string | null;
  /** When the newest numbers came. */
  statsAtMs: number;
  paused: boolean;
}

/** The worst thing first: a page that cannot reach its server knows nothing of the store. */
export function statusOf({ link, stats, problem, statsAtMs, paused }: StatusInputs): Status {
  if (link.name === 'stopped') {
    const notice = `The live stream ended: ${link.stop.reason || 'the server closed it'}. Reload the page to try again.`;
    return { tone: 'down', label: 'Disconnected', notice };
  }
  if (problem !== null || link.name === 'waiting') {
    const since = stats === null ? '' : ` Shown is what was known at ${formatClock(statsAtMs)}.`;
    const why = problem === null ? 'The live stream was interrupted.' : `${problem}.`;
    return { tone: 'down', label: 'Reconnecting…', notice: `${why} Reconnecting…${since}` };
  }
  if (stats === null || link.name === 'connecting')
    return { tone: 'busy', label: 'Connecting…', notice: null };
  const { journal, store, writer } = stats;
  if (journal.state === 'full' || journal.state === 'failed') {
    const what =
      journal.state === 'full'
        ? `The journal is full (${formatBytes(journal.maxBytes)}): devices hold their frames back until the store catches up`
        : 'The journal cannot be written: nothing is acknowledged until it can';
    return { tone: 'down', label: `Journal ${journal.state}`, notice: `${what}${because(store.reason)}` };
  }
  const filling =
    journal.state === 'filling'
      ? ` The journal is nearly full: ${formatBytes(journal.pendingBytes)} of ${formatBytes(journal.maxBytes)} wait.`
      : '';
  if (!store.up) {
    const waiting = `${formatCount(journal.pendingReadings)} readings wait in the journal`;
    const away = `Store away: history is not readable, live goes on; ${waiting}${because(store.reason)}`;
    return { tone: 'warn', label: 'Store away', notice: `${away}${nextTry(writer.retryInMs)}${filling}` };
  }
  if (filling !== '') return { tone: 'warn', label: 'Journal filling', notice: filling.trim() };
  return paused
    ? { tone: 'busy', label: 'Paused', notice: null }
    : { tone: 'live', label: 'Live', notice: null };
}

function nextTry(ms: number | null): string {
  return ms === null || ms < 1_000 ? '' : ` Next try in ${Math.ceil(ms / 1_000)} s.`;
}

function because(reason: string | null): string {
  return reason === null || reason === '' ? '.' : ` (${reason}).`;
}
