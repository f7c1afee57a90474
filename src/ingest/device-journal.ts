import type { Journal } from '../journal/index.ts';

/** What device connections need of a journal, which another process may write. */
export type DeviceJournal = Pick<
  Journal,
  'epoch' | 'append' | 'reject' | 'accepting' | 'onStateChange' | 'flush'
>;
