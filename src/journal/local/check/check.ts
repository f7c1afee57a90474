import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MillraceError } from '../../../core/index.ts';
import type { DeadLetter, JournalFrame } from '../../journal.ts';
import { DATA_FILE } from '../lmdb/environment.ts';
import { LmdbFile } from '../lmdb/lmdb-file.ts';
import { readRecords, treeLetters } from './records.ts';
import { deadLetter } from '../format/stored-letter.ts';
import { type JournalReport, type Span, Survey } from './survey.ts';

/**
 * Looks at the whole journal in `dir` without changing it and without lmdb, so that no damage can end the process.
 * No other process may write it meanwhile. Throws when there is no file or it cannot be opened.
 */
export function checkJournal(dir: string): JournalReport {
  const file = openFile(dir);
  try {
    return new Survey(file).report();
  } finally {
    file.close();
  }
}

/**
 * Every frame that can be read at positions [from, to), in order: blocks in their place, and for those that
 * are not the newest copy that lies elsewhere in the file. One block is in memory at a time.
 */
export function* salvageFrames(
  dir: string,
  { from, to }: Span = { from: 0, to: Infinity },
): Generator<JournalFrame, JournalReport, undefined> {
  const file = openFile(dir);
  try {
    const survey = new Survey(file);
    for (const block of survey.blocks()) {
      if (block.next <= from || block.first >= to) continue;
      for (const frame of block.frames(Math.max(from, block.first))) {
        if (frame.position >= to) break;
        yield frame;
      }
    }
    return survey.report();
  } finally {
    file.close();
  }
}

/** Every dead letter that can be read, oldest first; one is in memory at a time. What cannot, the report tells. */
export function* salvageLetters(dir: string): Generator<DeadLetter, void, undefined> {
  const file = openFile(dir);
  try {
    for (const found of treeLetters(file, readRecords(file).letters)) {
      if ('letter' in found) yield deadLetter(found.id, found.letter);
    }
  } finally {
    file.close();
  }
}

function openFile(dir: string): LmdbFile {
  const path = join(dir, DATA_FILE);
  if (!existsSync(path))
    throw new MillraceError('journal_corrupt', `there is no journal: ${path} is missing`);
  return new LmdbFile(path);
}
