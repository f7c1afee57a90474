import { type Clock, type ClockGuard, MillraceError } from '../core/index.ts';
import type { Journal, JournalStats } from '../journal/index.ts';

/** Throws `journal_failed` or `journal_full` while the journal takes no frames. */
export function refuseUnlessAccepting(
  journal: Pick<Journal, 'accepting'> & { stats(): Pick<JournalStats, 'state'> },
): void {
  if (journal.accepting()) return;
  if (journal.stats().state === 'failed') {
    throw new MillraceError('journal_failed', 'the journal cannot be written');
  }
  throw new MillraceError('journal_full', 'the journal is at its limit');
}

/** Throws `clock_wrong` while this server's clock is known to be behind: by it, right frames would be refused. */
export function refuseWhileClockIsWrong(clock: Clock, guard: ClockGuard): void {
  if (clock.nowMs() < guard.earliestMs) throw clockWrong();
}

export function clockWrong(): MillraceError {
  return new MillraceError('clock_wrong', "the server's clock is behind");
}
