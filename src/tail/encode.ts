import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  encodeCell,
  encodeCursor,
  encodeTimeCell,
  type ColumnBatch,
  type ColumnDef,
  type SelectedColumns,
} from '../core/index.ts';
import type { DecodedBlock } from './blocks.ts';
import { matchRows, perBatch, type TailFilter } from './filter.ts';

/** The matching rows of the frames at positions [first, next), ready for one data message. */
export interface EncodedChunk {
  first: number;
  next: number;
  /** How many rows. */
  rows: number;
  /** The rows as JSON arrays, comma separated. */
  rowsJson: string;
  /** Resumes at `next`. */
  cursor: string;
}

/** A block's matching rows; chunks follow each other without a hole, and there are none without rows. */
export interface EncodedBlock {
  first: number;
  next: number;
  selected: SelectedColumns;
  chunks: readonly EncodedChunk[];
}

export interface EncodeOptions {
  epoch: string;
  /** Rows of one chunk at most, unless a single frame has more: a frame is never split. */
  messageRows: number;
  /** Frames before it are left out. */
  from: number;
  /** Rows before it are left out. */
  minTimeNs: bigint | null;
}

/** After this many rows the event loop gets its turn. */
const ROWS_PER_TURN = 1_000;

/** Encodes a block's rows that match, in journal order. */
export async function encodeBlock(
  block: DecodedBlock,
  filter: TailFilter,
  selected: SelectedColumns,
  options: EncodeOptions,
): Promise<EncodedBlock> {
  const prepared = perBatch((batch) => ({
    match: matchRows(filter, batch),
    encode: rowEncoder(batch, selected),
  }));
  const chunks: EncodedChunk[] = [];
  let first = block.first;
  let rows: string[] = [];
  let untilTurn = ROWS_PER_TURN;
  const flush = (next: number): void => {
    if (rows.length === 0) return;
    const cursor = encodeCursor({ epoch: options.epoch, position: next, history: null });
    chunks.push({ first, next, rows: rows.length, rowsJson: rows.join(','), cursor });
    first = next;
    rows = [];
  };

  for (const frame of block.frames) {
    if (frame.position < options.from) continue;
    const { batch } = frame;
    const { match, encode } = prepared(batch);
    const matching: number[] = [];
    for (let row = frame.start; row < frame.end; row++) {
      if (options.minTimeNs !== null && (batch.timeNs[row] ?? 0n) < options.minTimeNs) continue;
      if (match(row)) matching.push(row);
    }
    untilTurn -= (frame.end - frame.start) / 8;
    if (rows.length > 0 && rows.length + matching.length > options.messageRows) flush(frame.position);
    for (const row of matching) {
      rows.push(encode(row));
      untilTurn -= 1;
      if (untilTurn > 0) continue;
      untilTurn = ROWS_PER_TURN;
      await nextTurn();
    }
    if (rows.length >= options.messageRows) flush(frame.position + 1);
    if (untilTurn <= 0) {
      untilTurn = ROWS_PER_TURN;
      await nextTurn();
    }
  }
  flush(block.next);
  return { first: block.first, next: block.next, selected, chunks };
}

/** One row of a batch as JSON, in the selected columns; what its schema lacks is null. */
export function rowEncoder(batch: ColumnBatch, selected: SelectedColumns): (row: number) => string {
  const cells = cellsOf(batch, selected);
  let lastDevice = '';
  let lastDeviceJson = '""';
  return (row) => {
    const device = batch.device[row] ?? '';
    if (device !== lastDevice) {
      lastDevice = device;
      lastDeviceJson = JSON.stringify(device);
    }
    let text = `[${encodeTimeCell(batch.timeNs[row] ?? 0n)},${lastDeviceJson}`;
    for (const { def, index } of cells) text += `,${encodeCell(batch.cell(index, row), def)}`;
    return `${text}]`;
  };
}

/** The same cell by cell, for rows that are put together of several writes. */
export function cellEncoder(batch: ColumnBatch, selected: SelectedColumns): (row: number) => string[] {
  const cells = cellsOf(batch, selected);
  return (row) => [
    encodeTimeCell(batch.timeNs[row] ?? 0n),
    JSON.stringify(batch.device[row] ?? ''),
    ...cells.map(({ def, index }) => encodeCell(batch.cell(index, row), def)),
  ];
}

/** Where a batch has the selected tags and fields. */
function cellsOf(batch: ColumnBatch, selected: SelectedColumns): { def: ColumnDef; index: number }[] {
  const { columns } = batch.mapping;
  return selected.defs.map((def) => ({
    def,
    index: columns.findIndex((column) => column.role === def.role && column.name === def.name),
  }));
}
