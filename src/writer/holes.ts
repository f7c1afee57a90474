import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { messageOf, MillraceError, systemCodeOf } from '../core/index.ts';
import type { FollowedJournal } from '../journal/index.ts';

/** Frames [from, to) that one of the two had and lacks now, as the other one shows. */
export interface Hole {
  lacking: 'store' | 'journal';
  /** Epoch of the journal whose frames the positions count. */
  epoch: string;
  from: number;
  to: number;
}

const fileSchema = z.array(
  z.object({
    lacking: z.enum(['store', 'journal']),
    epoch: z.string(),
    from: z.int().nonnegative(),
    to: z.int().nonnegative(),
    /** When it was found first, RFC 3339. */
    found: z.string(),
  }),
);
type FoundHole = z.infer<typeof fileSchema>[number];

/** Holes that are kept one by one; what comes then widens the last one. */
const MAX_HOLES = 100;

/**
 * The holes between store and journal, in a JSON file in the data folder. Once the writer goes on behind a hole, neither
 * position tells of it any more, so it is written down and synced before. It stays until somebody removes the file.
 */
export class Holes {
  readonly #path: string;
  #found: readonly FoundHole[];

  private constructor(path: string, found: readonly FoundHole[]) {
    this.#path = path;
    this.#found = found;
  }

  /** Throws `data_dir_unwritable` for a file that is none of this kind. */
  static open(path: string): Holes {
    try {
      return new Holes(path, fileSchema.parse(JSON.parse(readFileSync(path, 'utf8'))));
    } catch (cause) {
      if (systemCodeOf(cause) === 'ENOENT') return new Holes(path, []);
      throw new MillraceError(
        'data_dir_unwritable',
        `${path} is no list of holes: mend or remove it: ${messageOf(cause)}`,
        { cause },
      );
    }
  }

  /** Writes a hole down; on disk when this returns. Throws system errors, and has then changed nothing. */
  add(hole: Hole, nowMs: number): void {
    const found = withHole(this.#found, { ...hole, found: new Date(nowMs).toISOString() });
    if (found === this.#found) return;
    writeSynced(this.#path, `${JSON.stringify(found, null, 2)}\n`);
    this.#found = found;
  }

  /** What an operator has to know of them; null when there is none. */
  alarm(): string | null {
    return this.#found.length === 0 ? null : this.#found.map(wordsOf).join('; ');
  }

  /** Frames in them. */
  frames(lacking: Hole['lacking']): number {
    return this.#found.reduce((sum, hole) => (hole.lacking === lacking ? sum + hole.to - hole.from : sum), 0);
  }
}

/** Frames at [from, to) that are passed over without having been given up by a limit. */
export function passedOver(
  journal: Pick<FollowedJournal, 'epoch' | 'givenUp'>,
  from: number,
  to: number,
): Hole[] {
  const gone = journal.givenUp();
  return [
    { from, to: Math.min(to, gone.from) },
    { from: Math.max(from, gone.to), to },
  ]
    .filter((range) => range.from < range.to)
    .map((range) => ({ lacking: 'store', epoch: journal.epoch, ...range }));
}

function withHole(found: readonly FoundHole[], hole: FoundHole): readonly FoundHole[] {
  const full = found.length >= MAX_HOLES;
  const touches = (other: FoundHole): boolean =>
    other.lacking === hole.lacking &&
    other.epoch === hole.epoch &&
    other.from <= hole.to &&
    hole.from <= other.to;
  const at = found.findIndex(touches);
  if (at < 0 && !full) return [...found, hole];
  const index = at < 0 ? found.length - 1 : at;
  const known = found[index];
  if (known === undefined || (at >= 0 && known.from <= hole.from && known.to >= hole.to)) return found;
  const wider = { ...known, from: Math.min(known.from, hole.from), to: Math.max(known.to, hole.to) };
  return found.with(index, wider);
}

function wordsOf({ lacking, epoch, from, to, found }: FoundHole): string {
  const frames = `frames ${from} to ${to - 1} of journal ${epoch}`;
  return lacking === 'store'
    ? `the store lacks ${frames} and the journal does not keep them any more: the store was lost, replaced or put back to an earlier state (found ${found})`
    : `the journal lacks ${frames}, which the store has: the journal was put back to an earlier state (found ${found})`;
}

function writeSynced(path: string, text: string): void {
  const draft = `${path}.new`;
  const file = openSync(draft, 'w');
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
