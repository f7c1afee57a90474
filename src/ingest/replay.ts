import { LIMITS, MillraceError, messageOf, isNumbered, type Clock } from '../core/index.ts';
import {
  findDeadLetter,
  matchesLetter,
  walkLetters,
  type DeadLetter,
  type Journal,
  type LetterFilter,
  type ReplayedLetter,
} from '../journal/index.ts';
import type { Registry } from '../registry/index.ts';
import { refuseUnlessAccepting } from './admission.ts';
import { checkFrame, checkUnnumbered } from './check.ts';

/** Which dead letters are tried: those of these ids, in any order, or all that match. */
export type ReplayRequest = { ids: readonly string[] } | { filter: LetterFilter };

export interface ReplayAnswer {
  /** Dead letters that went back to the frames, duplicates included. */
  replayed: number;
  /** How many of the replayed letters the store had not answered for in time. */
  pending: number;
  /** Letters that were refused again; at most LIMITS.maxReplayRefused are listed. */
  refused: { id: string; code: string; message: string }[];
  /** How many are refused in all. */
  refusedTotal: number;
}

interface ReplayerOptions {
  journal: Journal;
  registry: Pick<Registry, 'resolve'>;
  clock: Clock;
}

/** Letters that are looked at before others get a turn, and how often the store's progress is looked at. */
const LETTERS_A_TURN = 100;
const LOOK_MS = 20;

/**
 * Tries dead letters again: those that pass their checks by now go back to the frames, the others stay as they
 * are. Asking twice, or for what is no dead letter any more, changes nothing.
 */
export class Replayer {
  readonly #options: ReplayerOptions;
  /** Replays take turns at moving letters; they wait for the store side by side. */
  #lastMove: Promise<unknown> = Promise.resolve();
  readonly #underWay = new Set<Promise<unknown>>();
  #stopping = false;

  constructor(options: ReplayerOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the letters are durable as frames, and, within LIMITS.replayWaitMs, when the store has said
   * whether it takes them. Rejects with `journal_full`, `journal_failed`, `draining` or `too_many_replays`; some of the letters
   * may have gone back by then.
   */
  async replay(request: ReplayRequest): Promise<ReplayAnswer> {
    if (this.#stopping) throw draining();
    if (this.#underWay.size >= LIMITS.maxReplays) {
      throw new MillraceError('too_many_replays', `${LIMITS.maxReplays} replays are under way`);
    }
    const answer = this.#replay(request);
    this.#underWay.add(answer);
    try {
      return await answer;
    } finally {
      this.#underWay.delete(answer);
    }
  }

  /** Ends what is under way: the journal may be closed then. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.allSettled(this.#underWay);
  }

  async #replay(request: ReplayRequest): Promise<ReplayAnswer> {
    const { journal } = this.#options;
    const answer: ReplayAnswer = { replayed: 0, pending: 0, refused: [], refusedTotal: 0 };
    const move = this.#lastMove.then(() => this.#move(request, answer));
    this.#lastMove = move.catch(() => undefined);
    const taken = await move;
    await this.#settled(taken);
    const settled = journal.settledPosition();
    for (const [id, position] of taken) {
      const again = position === null ? null : findDeadLetter(journal, id);
      if (again !== null) refuse(answer, id, again.code, again.message);
      else answer.replayed++;
      if (again === null && position !== null && position >= settled) answer.pending++;
    }
    return answer;
  }

  /** Moves letters that pass their check back to the frames, some at a time; their positions by id. */
  async #move(request: ReplayRequest, answer: ReplayAnswer): Promise<Map<string, number | null>> {
    const { journal } = this.#options;
    const taken = new Map<string, number | null>();
    let chunk: ReplayedLetter[] = [];
    let chunkBytes = 0;
    const send = async (): Promise<void> => {
      if (chunk.length === 0) return;
      refuseUnlessAccepting(journal);
      for (const [id, position] of await journal.replay(chunk)) taken.set(id, position);
      chunk = [];
      chunkBytes = 0;
    };
    const ids = 'ids' in request ? new Set(request.ids) : await this.#matching(request.filter);
    let looked = 0;
    for (const id of ids) {
      if (++looked % LETTERS_A_TURN === 0) await this.#turn();
      const letter = findDeadLetter(journal, id);
      if (letter === null) {
        // When all letters are replayed, one may meanwhile expire or be replayed by somebody else.
        if ('ids' in request) refuse(answer, id, 'dead_letter_unknown', 'there is no dead letter of this id');
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
    return taken;
  }

  /** Ids of the dead letters that match, oldest first, so that of two writes the later wins again. */
  async #matching(filter: LetterFilter): Promise<Set<string>> {
    const ids: string[] = [];
    let looked = 0;
    for (const letter of walkLetters(this.#options.journal)) {
      if (matchesLetter(letter, filter)) ids.push(letter.id);
      if (++looked % LETTERS_A_TURN === 0) await this.#turn();
    }
    return new Set(ids.reverse());
  }

  /** Lets others run in between. */
  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#stopping) throw draining();
  }

  #check(letter: DeadLetter): ReplayedLetter | MillraceError {
    const { registry, clock } = this.#options;
    const { id, bytes, device, transport, kind } = letter;
    try {
      // What had been acknowledged is in the dedupe window by itself.
      if (isNumbered(transport) || kind === 'deadLettered') {
        return { id, readings: checkFrame(registry, bytes, device, clock.nowMs()), content: null };
      }
      return { id, ...checkUnnumbered(registry, bytes, device, clock.nowMs(), null) };
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
    const untilMs = performance.now() + LIMITS.replayWaitMs;
    while (!this.#stopping && journal.settledPosition() <= last && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

function draining(): MillraceError {
  return new MillraceError('draining', 'the server is stopping');
}

function refuse(answer: ReplayAnswer, id: string, code: string, message: string): void {
  answer.refusedTotal++;
  if (answer.refused.length < LIMITS.maxReplayRefused) answer.refused.push({ id, code, message });
}
