import { type Clock, LIMITS, systemClock } from '../../core/index.ts';
import { type JournalSettings, LmdbJournal, type LocalJournal } from './local-journal.ts';
import { restoreCursors } from './restore.ts';
import { openStorage, type Storage } from './storage.ts';

export interface LocalJournalOptions {
  /** The journal's own folder; created when missing. */
  dir: string;
  /** Limit of the blocks' bytes. */
  maxBytes?: number;
  /** Settled frames are kept this long for tails … */
  tailRetentionMs?: number;
  /** … but at most this many bytes of them. */
  tailRetentionBytes?: number;
  maxDeadLetters?: number;
  maxDeadLetterBytes?: number;
  blockBytes?: number;
  blockDelayMs?: number;
  queueBytes?: number;
  /** Bytes of blocks between two snapshots of the device cursors. */
  snapshotBytes?: number;
  /** Newest blocks kept in memory, in bytes. */
  recentBytes?: number;
  clock?: Clock;
}

/**
 * Opens the journal in `dir`, creating it with a new epoch when there is none. Throws `data_dir_version`,
 * `data_dir_unwritable` or `journal_corrupt`. All frames that were ever told durable are there again; opening
 * reads at most a few snapshots' worth of blocks. Only one process may have it open: a second one takes
 * over, and the first then fails with its next commit instead of mixing its frames in.
 */
export async function openLocalJournal(options: LocalJournalOptions): Promise<LocalJournal> {
  const { maxBytes = LIMITS.journalMaxBytes, clock = systemClock } = options;
  return openJournalOn(openStorage(options.dir, maxBytes, clock.nowMs()), options);
}

/** The same on any storage: tests put faults in between. */
export async function openJournalOn(
  storage: Storage,
  options: Omit<LocalJournalOptions, 'dir'>,
): Promise<LocalJournal> {
  const settings: JournalSettings = {
    maxBytes: options.maxBytes ?? LIMITS.journalMaxBytes,
    tailRetentionMs: options.tailRetentionMs ?? LIMITS.tailRetentionMs,
    tailRetentionBytes: options.tailRetentionBytes ?? LIMITS.tailRetentionBytes,
    maxDeadLetters: options.maxDeadLetters ?? LIMITS.maxDeadLetters,
    maxDeadLetterBytes: options.maxDeadLetterBytes ?? LIMITS.maxDeadLetterBytes,
    blockBytes: options.blockBytes ?? LIMITS.journalBlockBytes,
    blockDelayMs: options.blockDelayMs ?? LIMITS.journalBlockDelayMs,
    queueBytes: options.queueBytes ?? LIMITS.journalQueueBytes,
    snapshotBytes: options.snapshotBytes ?? LIMITS.journalSnapshotBytes,
    recentBytes: options.recentBytes ?? LIMITS.journalRecentBytes,
    clock: options.clock ?? systemClock,
  };
  try {
    return new LmdbJournal(storage, restoreCursors(storage), settings);
  } catch (error) {
    await storage.close();
    throw error;
  }
}
