import {
  encodeCell,
  encodeCursor,
  encodeTimeCell,
  type ColumnBatch,
  type ColumnDef,
  type Mapping,
  type SelectedColumns,
} from '../core/index.ts';
import type { DecodedBlock, FrameRows } from './blocks.ts';
import { columnAt, perBatch, type RowFilter } from './filter.ts';
import type { OutgoingRows } from './outlet.ts';
import type { Lane, Turns } from './turns.ts';

/** The matching rows of the frames at positions [first, next), ready for one data message. */
export interface EncodedChunk extends OutgoingRows {
  first: number;
  next: number;
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
  turns: Turns;
  lane: Lane;
}

/** Cells that are looked at or encoded between two looks at the time. */
const CELLS_PER_LOOK = 512;

/** Encodes the rows of `frames` that match, in journal order; the block's other frames have none. */
export async function encodeBlock(
  block: Pick<DecodedBlock, 'first' | 'next'>,
  frames: readonly FrameRows[],
  filter: RowFilter,
  selected: SelectedColumns,
  { epoch, messageRows, from, minTimeNs, turns, lane }: EncodeOptions,
): Promise<EncodedBlock> {
  const prepared = perBatch((batch) => ({
    match: filter.of(batch),
    encode: rowEncoder(batch, selected),
  }));
  const cellsPerRow = selected.columns.length;
  const chunks: EncodedChunk[] = [];
  let first = block.first;
  let rows: string[] = [];
  let cells = 0;
  const flush = (next: number): void => {
    if (rows.length === 0) return;
    const cursor = encodeCursor({ epoch, position: next, history: null });
    chunks.push({ first, next, rows: rows.length, rowsJson: rows.join(','), cursor });
    first = next;
    rows = [];
  };

  let frame = frames[0];
  for (let index = 0; frame !== undefined;) {
    const { position, batch } = frame;
    const { match, encode } = prepared(batch);
    // A frame's rows may come in several parts; a message has all of them.
    const matching: number[] = [];
    for (; frame?.position === position; frame = frames[++index]) {
      if (position < from) continue;
      for (let row = frame.start; row < frame.end; row++) {
        cells += 1;
        if (cells >= CELLS_PER_LOOK) {
          cells = 0;
          if (turns.over) await turns.next(lane);
        }
        if (minTimeNs !== null && (batch.timeNs[row] ?? 0n) < minTimeNs) continue;
        if (match(row)) matching.push(row);
      }
    }
    if (rows.length > 0 && rows.length + matching.length > messageRows) flush(position);
    for (const row of matching) {
      rows.push(encode(row));
      cells += cellsPerRow;
      if (cells < CELLS_PER_LOOK) continue;
      cells = 0;
      if (turns.over) await turns.next(lane);
    }
    if (rows.length >= messageRows) flush(position + 1);
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

type SelectedCells = readonly { def: ColumnDef; index: number }[];

/** Filters that want all fields have the same columns: where a mapping has them is found once for all. */
const cellsKnown = new WeakMap<SelectedColumns, WeakMap<Mapping, SelectedCells>>();

/** Where a batch has the selected tags and fields. */
function cellsOf({ mapping }: ColumnBatch, selected: SelectedColumns): SelectedCells {
  let ofSelected = cellsKnown.get(selected);
  if (ofSelected === undefined) cellsKnown.set(selected, (ofSelected = new WeakMap()));
  let cells = ofSelected.get(mapping);
  if (cells === undefined) {
    cells = selected.defs.map((def) => ({ def, index: columnAt(mapping, def.role, def.name) }));
    ofSelected.set(mapping, cells);
  }
  return cells;
}
