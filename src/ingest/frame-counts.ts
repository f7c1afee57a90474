import type { ErrorCode } from '../core/index.ts';

export interface FrameStats {
  received: number;
  /** Frames refused before the ack, by the code that their reject had. */
  rejected: ReadonlyMap<ErrorCode, number>;
}

/** Counts frames as they come. */
export class FrameCounts implements FrameStats {
  received = 0;
  readonly rejected = new Map<ErrorCode, number>();

  /** `refused` is null for a frame that was taken. */
  add(refused: ErrorCode | null): void {
    this.received++;
    if (refused !== null) this.rejected.set(refused, (this.rejected.get(refused) ?? 0) + 1);
  }
}

/** The sums of several. */
export function sumFrames(all: readonly FrameStats[]): FrameStats {
  const rejected = new Map<ErrorCode, number>();
  let received = 0;
  for (const each of all) {
    received += each.received;
    for (const [code, count] of each.rejected) rejected.set(code, (rejected.get(code) ?? 0) + count);
  }
  return { received, rejected };
}
