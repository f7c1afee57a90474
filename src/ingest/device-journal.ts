import type { Journal, JournalStats } from '../journal/index.ts';

/** What ways in need of a journal, which another process may write. */
export interface DeviceJournal extends Pick<
  Journal,
  'epoch' | 'reject' | 'accepting' | 'onStateChange' | 'flush'
> {
  stats(): Pick<JournalStats, 'state'>;
  /** As the journal's own. Only the origin is told of a duplicate: another process may learn it later. */
  append(...frame: Parameters<Journal['append']>): void;
}
