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
  return troubleOf(stats) ?? (paused ? PAUSED : LIVE);
}

const PAUSED: Status = { tone: 'busy', label: 'Paused', notice: null };
const LIVE: Status = { tone: 'live', label: 'Live', notice: null };

/** What keeps frames from the disk, then what keeps them from the store. */
function troubleOf({ journal, store, writer }: Stats): Status | null {
  if (journal.state === 'failed') {
    const notice = `The journal cannot be written: nothing is acknowledged until it can${because(journal.reason)}`;
    return { tone: 'down', label: 'Journal failed', notice };
  }
  if (journal.state === 'full') {
    const what = `The journal is full (${formatBytes(journal.maxBytes)}): devices hold their frames back until the store catches up`;
    return {
      tone: 'down',
      label: 'Journal full',
      notice: `${what}${because(store.reason ?? journal.reason)}`,
    };
  }
  const filling =
    journal.state === 'filling'
      ? ` The journal is nearly full: ${formatBytes(journal.pendingBytes)} of ${formatBytes(journal.maxBytes)} wait.`
      : '';
  const waiting = `${formatCount(journal.pendingReadings)} readings wait in the journal`;
  if (!store.up) {
    const away = `Store away: history is not readable, live goes on; ${waiting}${because(store.reason)}`;
    return { tone: 'warn', label: 'Store away', notice: `${away}${nextTry(writer.retryInMs)}${filling}` };
  }
  if (!writer.running) {
    const stuck = `The store takes no writes, live goes on; ${waiting}${because(writer.reason)}`;
    return {
      tone: 'warn',
      label: 'Store not writable',
      notice: `${stuck}${nextTry(writer.retryInMs)}${filling}`,
    };
  }
  return filling === '' ? null : { tone: 'warn', label: 'Journal filling', notice: filling.trim() };
}

function nextTry(ms: number | null): string {
  return ms === null || ms < 1_000 ? '' : ` Next try in ${Math.ceil(ms / 1_000)} s.`;
}

function because(reason: string | null): string {
  return reason === null || reason === '' ? '.' : ` (${reason}).`;
}
