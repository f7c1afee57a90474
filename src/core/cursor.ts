import { z } from 'zod';
import { MillraceError } from './errors.ts';

/**
 * A place in the stream of frames: the journal's epoch and the position of the next frame to deliver.
 * While history is still being read, `history` says how far: every row before `timeNs` was delivered, and
 * `skip` rows at exactly that time; live rows go on from `position` afterwards.
 */
export interface Cursor {
  epoch: string;
  position: number;
  history: { timeNs: bigint; skip: number } | null;
}

const wire = z.tuple([
  z.string().min(1).max(64),
  z.number().int().nonnegative(),
  z.tuple([z.string().regex(/^-?\d{1,20}$/), z.number().int().nonnegative()]).nullable(),
]);

/** The opaque text of a cursor: base64url, at most a few hundred characters. */
export function encodeCursor(cursor: Cursor): string {
  const history = cursor.history === null ? null : [cursor.history.timeNs.toString(), cursor.history.skip];
  return Buffer.from(JSON.stringify([cursor.epoch, cursor.position, history])).toString('base64url');
}

/** Reads a cursor back. Throws `cursor_invalid` for anything that encodeCursor did not make. */
export function decodeCursor(text: string): Cursor {
  if (text.length <= 512) {
    try {
      const parsed = wire.safeParse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
      if (parsed.success) {
        const [epoch, position, history] = parsed.data;
        return {
          epoch,
          position,
          history: history === null ? null : { timeNs: BigInt(history[0]), skip: history[1] },
        };
      }
    } catch {
      // falls through to the one refusal below
    }
  }
  throw new MillraceError('cursor_invalid', 'the cursor was not made by this server');
}
