import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { MillraceError } from '../../../core/index.ts';
import type { Environment } from './environment.ts';
import { EMPTY_STATE, type JournalState, readState, type StateOfFormat1 } from '../format/state.ts';

/**
 * Layout, format 4: one lmdb environment in `journal.lmdb` with these databases:
 *
 *   meta     key text → JSON. `format`: {version, epoch, createdMs}; `state`: JournalState and as `crc`
 *            the CRC-32 of its JSON without it; `writer`: the process that may write, as the entry's lmdb-js
 *            version: a random number made at each opening
 *   blocks   key number, the block's first position → the block (block.ts)
 *   devices  `snapshot` → the device cursors (device-cursors.ts)
 *   cursors  key device → JSON number: cursors newer than the snapshot that no block carries
 *   outboxes key device → JSON OutboxRecord (outbox-cursors.ts): its outboxes, where one is newer than the snapshot,
 *            or has numbers that no block carries
 *   letters  key number counting up → StoredLetter with a checksum (stored-letter.ts)
 *   contents key number counting up → an entry of the dedupe log (dedupe-log.ts)
 *
 * Format 3 had no `outboxes`, and neither blocks nor the snapshot spoke of them. Format 2 had letters without checksum
 * and no `letters.rejected` in `state` besides. Format 1 had no `contents` besides,
 * blocks of version 1 only, and less in `state`, without `crc`. Opening makes each format 4; old letters stay as they are.
 */
export const FORMAT = 4;

export interface FormatEntry {
  version: number;
  epoch: string;
  createdMs: number;
}

/** Makes the records of a new journal. */
export function writeFirst({ meta }: Environment, nowMs: number): void {
  const epoch = randomBytes(9).toString('base64url');
  meta.transactionSync(() => {
    void meta.put('format', { version: FORMAT, epoch, createdMs: nowMs } satisfies FormatEntry);
    void meta.put('state', sealState(EMPTY_STATE));
  });
}

/** Throws `journal_corrupt`, and `data_dir_version` for a newer format. */
export function readMeta(dir: string, { meta }: Environment): { format: FormatEntry; state: JournalState } {
  const entry = (key: string): unknown => {
    try {
      return meta.get(key);
    } catch (cause) {
      throw new MillraceError('journal_corrupt', `the journal in ${dir} has a damaged ${key} record`, {
        cause,
      });
    }
  };
  const format = entry('format') as FormatEntry | undefined;
  if (format === undefined) {
    throw new MillraceError('journal_corrupt', `the journal in ${dir} has lost its format record`);
  }
  if (format.version > FORMAT) {
    throw new MillraceError(
      'data_dir_version',
      `the journal in ${dir} has format ${format.version}, this version knows up to ${FORMAT}`,
    );
  }
  return { format, state: unsealState(entry('state'), format.version) };
}

/** The state record with its checksum. */
export function sealState(state: JournalState): JournalState & { crc: number } {
  return { ...state, crc: crc32(JSON.stringify(state)) };
}

/** Checks a state record as it was found in a journal of that format. Throws `journal_corrupt`. */
export function unsealState(found: unknown, format: number): JournalState {
  if (typeof found !== 'object' || found === null) {
    throw new MillraceError('journal_corrupt', 'the journal has lost its state record');
  }
  const { crc, ...state } = found as (JournalState | StateOfFormat1) & { crc?: number };
  if (format > 1 && crc !== crc32(JSON.stringify(state))) {
    throw new MillraceError('journal_corrupt', "the journal's state record does not match its checksum");
  }
  return readState(state);
}
