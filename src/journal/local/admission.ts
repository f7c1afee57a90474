import type { JournalStats } from '../journal.ts';
import { RESUME_AT } from './trim.ts';

type Phase = JournalStats['state'];

interface Fill {
  failed: boolean;
  blockBytes: number;
  queuedBytes: number;
}

/**
 * Whether frames are welcome: not when the journal failed, is full, or is too far behind the disk. Both
 * limits are left again some way below where they were reached, so that it does not switch with every block.
 */
export class Admission {
  phase: Phase = 'open';
  accepting = true;
  readonly #limits: { maxBytes: number; queueBytes: number };
  readonly #listeners = new Set<(phase: Phase, accepting: boolean) => void>();
  #behind = false;

  constructor(limits: { maxBytes: number; queueBytes: number }) {
    this.#limits = limits;
  }

  onChange(listener: (phase: Phase, accepting: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes note of the present fill and tells listeners what changed. */
  update({ failed, blockBytes, queuedBytes }: Fill): void {
    const { maxBytes, queueBytes } = this.#limits;
    const before = { phase: this.phase, accepting: this.accepting };
    if (failed) this.phase = 'failed';
    else if (blockBytes >= maxBytes) this.phase = 'full';
    else if (blockBytes < RESUME_AT * maxBytes) this.phase = 'open';
    if (queuedBytes > queueBytes) this.#behind = true;
    else if (queuedBytes <= queueBytes / 2) this.#behind = false;
    this.accepting = this.phase === 'open' && !this.#behind;
    if (before.phase === this.phase && before.accepting === this.accepting) return;
    for (const listener of this.#listeners) guard(() => listener(this.phase, this.accepting));
  }
}

/** A listener's defect must not look like a failed commit: it surfaces as an uncaught error by itself. */
export function guard(call: () => void): void {
  try {
    call();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
