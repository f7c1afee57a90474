import { messageOf } from '../../../core/index.ts';
import { type CommittedBlock, openBlock } from '../format/block.ts';
import { DeviceCursors } from '../numbers/device-cursors.ts';
import { type LmdbFile, type LmdbTree } from '../lmdb/lmdb-file.ts';
import { namedTrees, type TreeEntry, walkTree } from '../lmdb/lmdb-tree.ts';
import type { JournalState } from '../format/state.ts';
import { FORMAT, type FormatEntry, unsealState } from '../lmdb/format.ts';
import { decodeLetter, type FoundLetter, letterId } from '../format/stored-letter.ts';

/** Everything of a journal's file but the blocks, read without lmdb; and what is wrong with it. */
export interface Records {
  format: FormatEntry | null;
  state: JournalState | null;
  blocks: LmdbTree | null;
  letters: LmdbTree | null;
  deviceNumbers: { snapshot: 'none' | 'readable' | 'damaged'; devices: number; outboxes: number };
  deadLetters: number;
  problems: string[];
}

/** Reads the records that the newest readable meta page leads to. Throws nothing: `problems` says it. */
export function readRecords(file: LmdbFile): Records {
  const records: Records = {
    format: null,
    state: null,
    blocks: null,
    letters: null,
    deviceNumbers: { snapshot: 'none', devices: 0, outboxes: 0 },
    deadLetters: 0,
    problems: [...file.metaFaults],
  };
  const { problems } = records;
  const meta = file.metas[0];
  if (meta === undefined) return records;
  for (const entry of walkTree(file, meta.free))
    if (entry.fault !== null) problems.push(`free pages: ${entry.fault}`);
  let stateText: string | null = null;
  const cursors = new DeviceCursors();
  for (const found of namedTrees(file, meta.main)) {
    if (!('name' in found)) {
      problems.push(`list of databases: ${found.fault}`);
      continue;
    }
    if (found.name === 'blocks') {
      records.blocks = found.tree;
      continue;
    }
    if (found.name === 'letters') {
      records.letters = found.tree;
      for (const letter of treeLetters(file, found.tree)) {
        if ('fault' in letter) problems.push(`letters: ${letter.fault}`);
        else records.deadLetters++;
      }
      continue;
    }
    for (const entry of walkTree(file, found.tree, { checkOverflow: true })) {
      if (entry.fault !== null) problems.push(`${found.name}: ${entry.fault}`);
      if (!('key' in entry)) continue;
      const key = textKey(entry.key);
      if (found.name === 'meta' && key === 'format') records.format = readFormat(file, entry, problems);
      if (found.name === 'meta' && key === 'state') stateText = versionedText(file, entry);
      if (found.name === 'devices' && key === 'snapshot') {
        records.deviceNumbers.snapshot = readSnapshot(file, entry, cursors, problems);
      }
    }
  }
  records.deviceNumbers.devices = cursors.size;
  records.deviceNumbers.outboxes = cursors.outboxes.size;
  records.state = readState(stateText, records.format, problems);
  if (records.blocks === null && records.state !== null && records.state.head > records.state.tail) {
    problems.push('the database of blocks is missing');
  }
  return records;
}

/** A block that the tree leads to, or what is wrong where one should be; `position` null when that is unknown. */
export type TreeBlock =
  { position: number; block: CommittedBlock } | { position: number | null; fault: string };

/** The blocks in the order of their positions, each checked. */
export function* treeBlocks(file: LmdbFile, tree: LmdbTree | null): Generator<TreeBlock, void, undefined> {
  if (tree === null) return;
  for (const entry of walkTree(file, tree, { checkOverflow: true })) {
    if (!('key' in entry)) {
      yield { position: null, fault: entry.fault };
      continue;
    }
    const position = numberKey(entry.key);
    try {
      if (entry.fault !== null) yield { position, fault: entry.fault };
      else yield { position, block: openBlock(valueOf(file, entry), position) };
    } catch (error) {
      yield { position, fault: messageOf(error) };
    }
  }
}

/** The dead letters in the order of their ids, each checked; or what is wrong where one should be. */
export function* treeLetters(
  file: LmdbFile,
  tree: LmdbTree | null,
): Generator<FoundLetter | { fault: string }, void, undefined> {
  if (tree === null) return;
  for (const entry of walkTree(file, tree, { checkOverflow: true })) {
    if (entry.fault !== null || !('key' in entry)) {
      yield { fault: entry.fault ?? 'a record without a key' };
      continue;
    }
    const id = numberKey(entry.key);
    const letter = decodeLetter(valueOf(file, entry));
    yield letter === null
      ? { fault: `the record of dead letter ${letterId(id)} is damaged` }
      : { id, letter };
  }
}

function readFormat(file: LmdbFile, entry: TreeEntry, problems: string[]): FormatEntry | null {
  try {
    const format = JSON.parse(versionedText(file, entry)) as FormatEntry;
    if (format.version > FORMAT) problems.push(`format ${format.version} is newer than this version knows`);
    return format;
  } catch {
    problems.push('the format record is damaged');
    return null;
  }
}

function readState(text: string | null, format: FormatEntry | null, problems: string[]): JournalState | null {
  try {
    return unsealState(text === null ? null : JSON.parse(text), format?.version ?? FORMAT);
  } catch (error) {
    problems.push(error instanceof SyntaxError ? 'the state record is damaged' : messageOf(error));
    return null;
  }
}

function readSnapshot(
  file: LmdbFile,
  entry: TreeEntry,
  cursors: DeviceCursors,
  problems: string[],
): 'readable' | 'damaged' {
  try {
    cursors.restoreSnapshot(valueOf(file, entry));
    return 'readable';
  } catch (error) {
    problems.push(messageOf(error));
    return 'damaged';
  }
}

function valueOf(file: LmdbFile, entry: TreeEntry): Buffer {
  return entry.bytes ?? file.read(entry.offset, entry.length);
}

/** lmdb-js puts eight bytes of version before the value. */
function versionedText(file: LmdbFile, entry: TreeEntry): string {
  return valueOf(file, entry).toString('utf8', 8);
}

function textKey(key: Buffer): string {
  return key.toString('latin1');
}

/** lmdb-js's form of a number not below 0: four bits 0001, then the float64 big-endian, without zeros at the end. */
function numberKey(key: Buffer): number {
  const padded = Buffer.alloc(9);
  key.copy(padded, 0, 0, 9);
  const float = Buffer.alloc(8);
  for (let i = 0; i < 8; i++) float[i] = ((padded[i] ?? 0) << 4) | ((padded[i + 1] ?? 0) >> 4);
  return float.readDoubleBE(0);
}
