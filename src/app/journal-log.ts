import type { Journal } from '../journal/index.ts';
import type { Logger } from '../telemetry/index.ts';

/** Logs each change of the journal's state with its reason. Returns the way to stop it. */
export function logJournalState(journal: Journal, logger: Logger): () => void {
  let last = journal.stats().state;
  return journal.onStateChange((state) => {
    if (state === last) return;
    const from = last;
    last = state;
    const { reason } = journal.stats();
    if (state === 'failed') logger.error({ state, reason }, reason);
    else if (state === 'open')
      logger.info({ state, from }, 'the journal takes frames again, with room to spare');
    else logger.warn({ state, from, reason }, reason ?? `the journal is ${state}`);
  });
}
