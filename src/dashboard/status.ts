import type { LinkState } from '../client/index.ts';
import { formatBytes, formatClock, formatCount } from './format.ts';
import type { Stats } from './payloads.ts';

/** How things stand, in one word, and in one sentence where there is something to say. */
export interface Status {
  tone: 'live' | 'busy' | 'warn' | 'down';
  label: string;
  /** What is read out when it changes: without numbers that change each second. */
  notice: string | null;
  /** Those numbers, as sentences; empty where there are none. */
  detail: string;
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
    return { tone: 'down', label: 'Disconnected', notice, detail: '' };
  }
  if (problem !== null || link.name === 'waiting') {
    const detail = stats === null ? '' : `Shown is what was known at ${formatClock(statsAtMs)}.`;
    const why = problem === null ? 'The live stream was interrupted.' : `${problem}.`;
    return { tone: 'down', label: 'Reconnecting…', notice: `${why} Reconnecting…`, detail };
  }
  if (stats === null || link.name === 'connecting')
    return { tone: 'busy', label: 'Connecting…', notice: null, detail: '' };
  return troubleOf(stats) ?? (paused ? PAUSED : LIVE);
}

const PAUSED: Status = { tone: 'busy', label: 'Paused', notice: null, detail: '' };
const LIVE: Status = { tone: 'live', label: 'Live', notice: null, detail: '' };

/** What keeps frames from the disk, then what keeps them from the store. */
function troubleOf({ journal, store, writer }: Stats): Status | null {
  if (journal.state === 'failed') {
    const notice = `The journal cannot be written: nothing is acknowledged until it can${because(journal.reason)}`;
    return { tone: 'down', label: 'Journal failed', notice, detail: '' };
  }
  if (journal.state === 'full') {
    const what = `The journal is full (${formatBytes(journal.maxBytes)}): devices hold their frames back until the store catches up`;
    const notice = `${what}${because(store.reason ?? journal.reason)}`;
    return { tone: 'down', label: 'Journal full', notice, detail: '' };
  }
  const isFilling = journal.state === 'filling';
  const filling = isFilling ? ' The journal is nearly full.' : '';
  const fill = `${formatBytes(journal.pendingBytes)} of ${formatBytes(journal.maxBytes)} wait.`;
  const waiting = `${formatCount(journal.pendingReadings)} readings wait in the journal.`;
  const detail = [waiting, nextTry(writer.retryInMs), isFilling ? fill : '']
    .filter((text) => text !== '')
    .join(' ');
  if (!store.up) {
    const notice = `Store away: history is not readable, live goes on${because(store.reason)}${filling}`;
    return { tone: 'warn', label: 'Store away', notice, detail };
  }
  if (!writer.running) {
    const notice = `The store takes no writes, live goes on${because(writer.reason)}${filling}`;
    return { tone: 'warn', label: 'Store not writable', notice, detail };
  }
  return isFilling ? { tone: 'warn', label: 'Journal filling', notice: filling.trim(), detail: fill } : null;
}

function nextTry(ms: number | null): string {
  return ms === null || ms < 1_000 ? '' : `Next try in ${Math.ceil(ms / 1_000)} s.`;
}

function because(reason: string | null): string {
  return reason === null || reason === '' ? '.' : ` (${reason}).`;
}
