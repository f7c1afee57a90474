import type { Patch } from './patches.ts';

/** A promise broken on purpose: one of the test files `noticedBy` (without `.test.ts`) has to notice it. */
export interface Sabotage {
  name: string;
  noticedBy: readonly string[];
  /** What the verdict then says. */
  breaks: RegExp;
  patches: readonly Patch[];
}

export const SABOTAGES: readonly Sabotage[];
/** The patches of the sabotage that this run is under; none in a normal run. */
export function sabotage(): readonly Patch[];
