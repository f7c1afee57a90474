/**
 * The only source of truth before the store. A frame is on disk, synced, before it is acknowledged; the
 * device cursors, the ledger and the dead letters change in the same transaction as the frames they speak
 * of, so that they agree at every instant and after every crash. Positions count frames from 0 without a
 * hole and mean the same frame for ever within an epoch. Nothing acknowledged is removed before it is
 * settled. `local` keeps it in lmdb.
 */
export type * from './journal.ts';
export { BlockMemory } from './block-memory.ts';
export { SettledTimes } from './settled-times.ts';
export { findDeadLetter, matchesLetter, walkLetters, type LetterFilter } from './letters.ts';
export { openLocalJournal, type LocalJournal, type LocalJournalOptions } from './local/open.ts';
export { JournalFollower, type FollowerOptions } from './local/read/follower.ts';
export type { JournalState } from './local/format/state.ts';
export { checkJournal, salvageFrames, salvageLetters } from './local/check/check.ts';
export type { JournalReport, Span } from './local/check/survey.ts';
