import type { AnswerPiece, AnswerRequest, AnswerSource, OpenAnswer } from '../../answers/index.ts';
import { LIMITS, MillraceError } from '../../core/index.ts';
import { fromPlain, type PlainError } from '../process-calls.ts';
import type { OpenedAnswer } from './calls.ts';

interface Served {
  abort: AbortController;
  answer: OpenAnswer | null;
}

/** Answers that another process takes over from this one, piece by piece as it asks for them. */
export class ServedAnswers {
  readonly #source: AnswerSource;
  readonly #served = new Map<number, Served>();

  constructor(source: AnswerSource) {
    this.#source = source;
  }

  async open(id: number, request: AnswerRequest): Promise<OpenedAnswer> {
    if (this.#served.size >= LIMITS.maxStoreReads) {
      throw new MillraceError('too_many_queries', `${this.#served.size} answers are under way`);
    }
    const served: Served = { abort: new AbortController(), answer: null };
    this.#served.set(id, served);
    try {
      const answer = await this.#source.open(request, served.abort.signal);
      served.answer = answer;
      const { facts, first } = answer;
      if (first.last) this.#served.delete(id);
      return { facts, first };
    } catch (error) {
      this.#served.delete(id);
      throw error;
    }
  }

  async next(id: number): Promise<AnswerPiece> {
    const answer = this.#served.get(id)?.answer ?? null;
    if (answer === null) throw new MillraceError('internal', 'the answer has ended');
    try {
      const piece = await answer.next();
      if (piece.last) this.#served.delete(id);
      return piece;
    } catch (error) {
      this.#served.delete(id);
      throw error;
    }
  }

  end(id: number, reason: PlainError | null): void {
    const served = this.#served.get(id);
    if (served === undefined) return;
    this.#served.delete(id);
    served.abort.abort(reason === null ? undefined : fromPlain(reason));
  }
}
