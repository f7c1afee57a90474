/**
 * The only source of truth before the store. A frame is on disk, synced, before it is acknowledged; the
 * device cursors, the ledger and the dead letters change in the same transaction as the frames they speak
 * of, so that they agree at every instant and after every crash. Positions count frames from 0 without a
 * hole and mean the same frame for ever within an epoch. Nothing acknowledged is removed before it is
 * settled.
 *
 * `local` keeps it in lmdb. Its databases are listed in local/lmdb/format.ts, the bytes of a block in
 * local/format/block.ts, those of a dead letter in local/format/stored-letter.ts. The commit protocol:
 *
 * 1. A frame that comes in is appended to the open batch: it takes its device's next number (or, where its transport
 *    numbers nothing, passes the dedupe window by its content) and the next position. A number that was taken before
 *    is a duplicate: counted, not kept. A refused frame takes its number too and becomes a dead letter of the batch.
 * 2. A batch is sealed when its block has `blockBytes`, or `blockDelayMs` after its first frame. Nothing is added to
 *    it from then on, and its checksum is made.
 * 3. One transaction is under way at a time. It takes what is sealed and what is to be settled, and writes in one lmdb
 *    transaction: the blocks, the dead letters, the dedupe log, device cursors that no block carries, what
 *    trimming removes, and the state record with head, tail, settled position and ledger.
 * 4. lmdb writes the pages, syncs them (fdatasync), and writes its meta page through a descriptor that syncs by itself. Only
 *    then is the transaction visible, and only then are the connections told: `onDurable`, once for each that had a
 *    number in it. Ack follows from that, never from anything before it.
 * 5. If any of this fails, the journal has failed: nothing younger is acknowledged, every connection with frames in
 *    flight hears `onFailed`, and the state in memory is thrown away. It is opened anew, with growing waits, from what is
 *    on disk, as after a crash.
 *
 * Opening reads the state record, the snapshot of the device cursors, the tables of the blocks written since, and the
 * dedupe log within its window. A crash at any point leaves the last transaction whole or not there at all; frames of a
 * transaction that did not get there were never acknowledged, and their devices send them again.
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
