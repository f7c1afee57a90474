import { LIMITS } from '../../core/index.ts';
import { type Suspects, suspectsAfter, type WriteAttempt } from '../../writer/index.ts';

/**
 * What writer processes did when they ended, kept by the process that starts them: the next one searches the frames
 * that were under way for one at fault.
 */
export class WriterEnds {
  #attempt: WriteAttempt | null = null;
  #suspects: Suspects | null = null;
  /** Where the one that ended last stood, and how many in a row did there. */
  #at = -1;
  #inARow = 0;
  #how = '';

  /** The store is handed these frames; null when it has answered. */
  attempting(attempt: WriteAttempt | null): void {
    this.#attempt = attempt;
  }

  /** A writer process ended, with the journal settled up to a position before its head. `how` in words. */
  ended(settled: number, head: number, how: string): void {
    const attempt = this.#attempt;
    this.#attempt = null;
    if (attempt !== null) this.#suspects = suspectsAfter(this.#suspects, attempt, how);
    // Where nothing waits, no frame is to blame.
    if (settled >= head) this.#inARow = 0;
    else this.#inARow = settled === this.#at ? this.#inARow + 1 : 1;
    this.#at = settled;
    this.#how = how;
  }

  /** The journal is settled up to a position. */
  settled(position: number): void {
    if (this.#suspects !== null && position >= this.#suspects.to) this.#suspects = null;
    if (position > this.#at) this.#inARow = 0;
  }

  /** What the next process has to know. */
  get suspects(): Suspects | null {
    return this.#suspects;
  }

  /** Whether the last end made the search for a frame at fault shorter: then the next process need not wait. */
  get narrowed(): boolean {
    return this.#suspects !== null && this.#suspects.ends === 1 && this.#suspects.trials === 0;
  }

  /** How many writer processes ended one after another without any frame settled in between. */
  get inARow(): number {
    return this.#inARow;
  }

  /** What an operator has to know; null while all is well. */
  alarm(): string | null {
    if (this.#inARow < LIMITS.writerEndsToAlarm) return null;
    return (
      `${this.#how}, ${this.#inARow} times in a row at position ${this.#at}: ` +
      'the frames there are searched for one that the store cannot take, which becomes a dead letter'
    );
  }
}
