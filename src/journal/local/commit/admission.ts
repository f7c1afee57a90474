import type { JournalStats } from '../../journal.ts';
import { RESUME_AT } from './trim.ts';

type Phase = JournalStats['state'];

/** From this part of a limit on it is announced … */
const ANNOUNCE_AT = 0.8;
/** … until the journal is below this part of it again. */
const WITHDRAW_AT = 0.75;

interface Fill {
  failed: boolean;
  blockBytes: number;
  pendingBytes: number;
  queuedBytes: number;
  /** Age of the oldest frame that is not settled; 0 when there is none. */
  pendingAgeMs: number;
}

export interface AdmissionLimits {
  maxBytes: number;
  /** Null: no limit. */
  maxAgeMs: number | null;
  queueBytes: number;
}

/**
 * Whether frames are welcome: not when the journal failed, is full, or is too far behind the disk. All
 * limits are left again some way below where they were reached, so that it does not switch with every block.
 */
export class Admission {
  phase: Phase = 'open';
  accepting = true;
  /** Which limit is near or reached, in words; null when none is. */
  reason: string | null = null;
  readonly #limits: AdmissionLimits;
  readonly #listeners = new Set<(phase: Phase, accepting: boolean) => void>();
  #behind = false;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  onChange(listener: (phase: Phase, accepting: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes note of the present fill and tells listeners what changed. */
  update(fill: Fill): void {
    const { queueBytes } = this.#limits;
    const { queuedBytes } = fill;
    const before = { phase: this.phase, accepting: this.accepting };
    this.#look(fill);
    if (queuedBytes > queueBytes) this.#behind = true;
    else if (queuedBytes <= queueBytes / 2) this.#behind = false;
    this.accepting = (this.phase === 'open' || this.phase === 'filling') && !this.#behind;
    if (before.phase === this.phase && before.accepting === this.accepting) return;
    for (const listener of this.#listeners) guard(() => listener(this.phase, this.accepting));
  }

  #look({ failed, blockBytes, pendingBytes, pendingAgeMs }: Fill): void {
    const { maxBytes, maxAgeMs } = this.#limits;
    // Settled blocks give way, so only the others announce that it gets narrow.
    const pending = pendingBytes / maxBytes;
    const bytes = blockBytes / maxBytes;
    const age = maxAgeMs === null ? 0 : pendingAgeMs / maxAgeMs;
    const wasFull = this.phase === 'full';
    if (failed) this.phase = 'failed';
    else if (Math.max(bytes, age) >= (wasFull ? RESUME_AT : 1)) this.phase = 'full';
    else if (Math.max(pending, age) >= (this.phase === 'open' ? ANNOUNCE_AT : WITHDRAW_AT)) {
      this.phase = 'filling';
    } else this.phase = 'open';
    if (this.phase === 'open' || this.phase === 'failed') this.reason = null;
    else if (maxAgeMs !== null && age > (this.phase === 'full' ? bytes : pending)) {
      this.reason = `the oldest frame that is not stored is ${seconds(pendingAgeMs)} old: ${percent(age)} of the limit of ${seconds(maxAgeMs)}`;
    } else {
      const held = this.phase === 'full' ? blockBytes : pendingBytes;
      this.reason = `the journal holds ${megabytes(held)} of frames that are not stored: ${percent(held / maxBytes)} of the limit of ${megabytes(maxBytes)}`;
    }
  }
}

function percent(part: number): string {
  return `${Math.floor(part * 100)} %`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
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
