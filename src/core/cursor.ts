import { z } from 'zod';
import { MillraceError } from './errors.ts';
import { LIMITS } from './limits.ts';

/**
 * A place in the stream of frames: the journal's epoch and the position of the next frame to deliver.
 * While history is still being read, `history` says how far; live rows go on from `position` afterwards.
 */
export interface Cursor {
  epoch: string;
  position: number;
  history: HistoryPlace | null;
}

/** Every row before `timeNs` was delivered, and of the rows at exactly that time those up to `row`: none when it is null. */
export interface HistoryPlace {
  timeNs: bigint;
  row: RowPlace | null;
}

/**
 * The last row that was delivered of one time: by its key, or by a digest of one that is too long for a cursor.
 * Cursors of earlier versions counted the rows.
 */
export type RowPlace =
  { by: 'key'; key: RowKey } | { by: 'digest'; digest: string } | { by: 'count'; count: number };

/** What tells a row from others of its time, by name: `device` and its tags, of an aggregate those of its group. */
export type RowKey = readonly (readonly [string, string | null])[];

/** Characters of a digest: base64url of 16 bytes. */
export const ROW_DIGEST_CHARS = 22;

const rowWire = z.union([
  z.number().int().nonnegative(),
  z.string().regex(new RegExp(`^[A-Za-z0-9_-]{${ROW_DIGEST_CHARS}}$`)),
  z.array(z.tuple([z.string(), z.string().nullable()])),
]);
const wire = z.tuple([
  z.string().min(1).max(64),
  z.number().int().nonnegative(),
  z.tuple([z.string().regex(/^-?\d{1,20}$/), rowWire]).nullable(),
]);

/** The opaque text of a cursor: base64url, at most LIMITS.maxParameterLength characters. */
export function encodeCursor({ epoch, position, history }: Cursor): string {
  const place = history === null ? null : [history.timeNs.toString(), encodeRow(history.row)];
  return Buffer.from(JSON.stringify([epoch, position, place])).toString('base64url');
}

/** Reads a cursor back. Throws `cursor_invalid` for anything that encodeCursor did not make. */
export function decodeCursor(text: string): Cursor {
  if (text.length <= LIMITS.maxParameterLength) {
    try {
      const parsed = wire.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
      if (parsed.success) {
        const [epoch, position, history] = parsed.data;
        const place = history === null ? null : { timeNs: BigInt(history[0]), row: decodeRow(history[1]) };
        return { epoch, position, history: place };
      }
    } catch {
      // falls through to the one refusal below
    }
  }
  throw new MillraceError('cursor_invalid', 'the cursor was not made by this server');
}

/** The key's bytes in a cursor. */
export function rowKeyBytes(key: RowKey): number {
  return Buffer.byteLength(JSON.stringify(key));
}

function encodeRow(row: RowPlace | null): z.infer<typeof rowWire> {
  if (row === null) return 0;
  switch (row.by) {
    case 'key':
      return row.key.map(([name, value]) => [name, value]);
    case 'digest':
      return row.digest;
    case 'count':
      return row.count;
  }
}

function decodeRow(row: z.infer<typeof rowWire>): RowPlace | null {
  if (typeof row === 'string') return { by: 'digest', digest: row };
  if (typeof row === 'number') return row === 0 ? null : { by: 'count', count: row };
  return { by: 'key', key: row };
}
