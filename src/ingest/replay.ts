import { LIMITS, MillraceError, messageOf, type Clock } from '../core/index.ts';
import type { DeadLetter, Journal, ReplayedLetter } from '../journal/index.ts';
import type { Registry } from '../registry/index.ts';
import { checkFrame, contentOf } from './check.ts';

export interface ReplayAnswer {
  /** Dead letters that went back to the frames. */
  replayed: number;
  /** Those that are refused as before; at most LIMITS.maxReplayRefused of them. */
  refused: { id: string; code: string; message: string }[];
  /** How many are refused in all. */
  refusedTotal: number;
}

interface ReplayerOptions {
  journal: Journal;
  registry: Pick<Registry, 'resolve'>;
  clock: Clock;
}

/** Letters that are read at once while all are listed, and how often the store's progress is looked at. */
const PAGE = 100;
const LOOK_MS = 20;

/**
 * Tries dead letters again: those that pass their checks by now go back to the frames, the others stay as they
 * are. Asking twice, or for what is no dead letter any more, changes nothing.
 */
export class Replayer {
  readonly #options: ReplayerOptions;
  /** Replays take their turns. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ReplayerOptions) {
    this.#options = options;
  }

  /**
   * `ids`: which, in any order; null for all. Resolves when the letters are durable as frames, and, within
   * LIMITS.replayWaitMs, when the store has said whether it takes them. Rejects with `journal_failed`.
   */
  replay(ids: readonly string[] | null): Promise<ReplayAnswer> {
    const answer = this.#last.then(() => this.#replay(ids));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async #replay(ids: readonly string[] | null): Promise<ReplayAnswer> {
    const { journal } = this.#options;
    const answer: ReplayAnswer = { replayed: 0, refused: [], refusedTotal: 0 };
    const taken = new Map<string, number | null>();
    let chunk: ReplayedLetter[] = [];
    let chunkBytes = 0;
    const send = async (): Promise<void> => {
      if (chunk.length === 0) return;
      for (const [id, position] of await journal.replay(chunk)) taken.set(id, position);
      chunk = [];
      chunkBytes = 0;
    };
    for (const id of new Set(ids ?? this.#all())) {
      const letter = find(journal, id);
      if (letter === undefined) {
        // Of all letters one may expire, or be replayed by somebody else, on the way.
        if (ids !== null) refuse(answer, id, 'dead_letter_unknown', 'there is no dead letter of this id');
        continue;
      }
      const checked = this.#check(letter);
      if (checked instanceof MillraceError) {
        refuse(answer, id, checked.code, checked.message);
        continue;
      }
      const size = letter.bytes.length;
      if (chunk.length === LIMITS.maxReplayLetters || chunkBytes + size > LIMITS.maxReplayBytes) await send();
      chunk.push(checked);
      chunkBytes += size;
    }
    await send();
    answer.replayed = taken.size;
    await this.#settled(taken);
    for (const [id, position] of taken) {
      const again = position === null ? undefined : find(journal, id);
      if (again === undefined) continue;
      answer.replayed--;
      refuse(answer, id, again.code, again.message);
    }
    return answer;
  }

  /** Ids of all dead letters, oldest first, so that of two writes the later wins again. */
  #all(): string[] {
    const ids: string[] = [];
    let before: string | undefined;
    for (;;) {
      const page = this.#options.journal.deadLetters(PAGE, before);
      for (const { id } of page) ids.push(id);
      before = page.at(-1)?.id;
      if (page.length < PAGE) return ids.reverse();
    }
  }

  #check(letter: DeadLetter): ReplayedLetter | MillraceError {
    const { registry, clock } = this.#options;
    const { id, bytes, device, transport, kind } = letter;
    try {
      const readings = checkFrame(registry, bytes, device, clock.nowMs());
      const numbered = transport === 'ws' || kind === 'deadLettered';
      return { id, readings, content: numbered ? null : contentOf(registry, bytes) };
    } catch (error) {
      if (error instanceof MillraceError) return error;
      return new MillraceError('internal', messageOf(error), { cause: error });
    }
  }

  /** Waits until the store has been asked about the frames, but not for long. */
  async #settled(taken: ReadonlyMap<string, number | null>): Promise<void> {
    const { journal } = this.#options;
    let last = -1;
    for (const position of taken.values()) if (position !== null && position > last) last = position;
    const until = performance.now() + LIMITS.replayWaitMs;
    while (journal.settledPosition() <= last && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

function find(journal: Journal, id: string): DeadLetter | undefined {
  try {
    return journal.deadLetter(id);
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'cursor_invalid') return undefined;
    throw error;
  }
}

function refuse(answer: ReplayAnswer, id: string, code: string, message: string): void {
  answer.refusedTotal++;
  if (answer.refused.length < LIMITS.maxReplayRefused) answer.refused.push({ id, code, message });
}
