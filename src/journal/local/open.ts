import { LIMITS, systemClock } from '../../core/index.ts';
import type { Journal } from '../journal.ts';
import type { Leader } from './read/follower.ts';
import { LmdbJournal } from './local-journal.ts';
import { restoreMemory } from './recover/restore.ts';
import type { JournalSettings } from './commit/settings.ts';
import { openStorage } from './lmdb/lmdb-storage.ts';
import type { Storage } from './lmdb/storage.ts';

/** A journal in this process's own files. */
export type LocalJournal = Journal & Leader;

/** Options of a journal. Each that is left out has its value from LIMITS. */
export interface LocalJournalOptions extends Partial<JournalSettings> {
  /** The journal's own folder; created when missing. */
  dir: string;
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
    maxAgeMs: options.maxAgeMs === undefined ? LIMITS.journalMaxAgeMs : options.maxAgeMs,
    tailRetentionMs: options.tailRetentionMs ?? LIMITS.tailRetentionMs,
    tailRetentionBytes: options.tailRetentionBytes ?? LIMITS.tailRetentionBytes,
    maxDeadLetters: options.maxDeadLetters ?? LIMITS.maxDeadLetters,
    maxDeadLetterBytes: options.maxDeadLetterBytes ?? LIMITS.maxDeadLetterBytes,
    maxDeadLetterAgeMs: options.maxDeadLetterAgeMs ?? LIMITS.maxDeadLetterAgeMs,
    dedupeWindowMs: options.dedupeWindowMs ?? LIMITS.dedupeWindowMs,
    dedupeFrames: options.dedupeFrames ?? LIMITS.dedupeFrames,
    dedupeTotal: options.dedupeTotal ?? LIMITS.dedupeTotal,
    upkeepMs: options.upkeepMs ?? LIMITS.journalUpkeepMs,
    blockBytes: options.blockBytes ?? LIMITS.journalBlockBytes,
    blockDelayMs: options.blockDelayMs ?? LIMITS.journalBlockDelayMs,
    commitBytes: options.commitBytes ?? LIMITS.journalCommitBytes,
    queueBytes: options.queueBytes ?? LIMITS.journalQueueBytes,
    snapshotBytes: options.snapshotBytes ?? LIMITS.journalSnapshotBytes,
    recoveryMinMs: options.recoveryMinMs ?? LIMITS.journalRecoveryMinMs,
    recoveryMaxMs: options.recoveryMaxMs ?? LIMITS.journalRecoveryMaxMs,
    clock: options.clock ?? systemClock,
    stamps: options.stamps ?? options.clock ?? systemClock,
    alsoLook: options.alsoLook ?? (() => {}),
  };
  try {
    return new LmdbJournal(storage, restoreMemory(storage, settings), settings);
  } catch (error) {
    await storage.close();
    throw error;
  }
}
