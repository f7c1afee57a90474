import type { Clock } from '../../../core/index.ts';
import type { AdmissionLimits } from './admission.ts';
import type { LetterLimits } from './dead-letters.ts';
import type { DedupeLimits } from '../dedupe/dedupe-window.ts';
import type { TrimLimits } from './trim.ts';

/** Everything that a local journal may be told, with nothing left out. */
export interface JournalSettings extends TrimLimits, AdmissionLimits, LetterLimits, DedupeLimits {
  /** A block is sealed at this many bytes … */
  blockBytes: number;
  /** … or this long after its first frame. */
  blockDelayMs: number;
  /** One transaction takes so many bytes of what is sealed, or half of it. */
  commitBytes: number;
  /** Bytes that may wait for the disk before `accepting()` is false. */
  queueBytes: number;
  /** Bytes of blocks between two snapshots of the device cursors. */
  snapshotBytes: number;
  /** What is due by age alone is looked for this often. */
  upkeepMs: number;
  /** What ages are told by … */
  clock: Clock;
  /** … and what is to age is stamped with, which is no earlier. */
  stamps: Clock;
  /** A failed journal is opened anew after this time … */
  recoveryMinMs: number;
  /** … and each further try waits twice as long, up to this. */
  recoveryMaxMs: number;
  /** Throws when something else is gone without which the frames would be lost at the next start. */
  alsoLook: () => void;
}
