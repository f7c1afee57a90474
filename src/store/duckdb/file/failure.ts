import { messageOf } from '../../../core/index.ts';

/**
 * What DuckDB says where the disk, memory or the database itself is at fault. It has words only, and an appender leaves
 * out the class of its error.
 */
const OF_THE_STORE =
  /\b(io|fatal|internal|out of memory|interrupt|permission|corruption) error\b|no space left|too many open files|cannot open|file too large|input\/output|could not (allocate|open|read|write|fsync|sync|truncate|checkpoint)|failed to (allocate|create checkpoint|offload)|invalidated|transaction is aborted|interrupted|checkpoint|temp(orary)?[_ ](directory|file)/i;

/** Whether a write failed for what it is asked to do it in; else it is what was to be written. */
export function isOfTheStore(error: unknown): boolean {
  return OF_THE_STORE.test(messageOf(error));
}
