import { LIMITS } from '../core/index.ts';

/** The bounds of the live tail; tests make them small. Each is described at its entry in core's LIMITS. */
export interface TailLimits {
  connections: number;
  subscriptions: number;
  filterValues: number;
  filterBytes: number;
  socketBytes: number;
  messageRows: number;
  joinRows: number;
  progressMs: number;
  decodedBlocks: number;
  encodedChars: number;
  historyReads: number;
  historyPatienceMs: number;
  latestSeries: number;
  sliceMs: number;
}

export const TAIL_LIMITS: TailLimits = {
  connections: LIMITS.maxTailConnections,
  subscriptions: LIMITS.maxSubscriptions,
  filterValues: LIMITS.tailFilterValues,
  filterBytes: LIMITS.tailFilterBytes,
  socketBytes: LIMITS.tailSocketBytes,
  messageRows: LIMITS.tailMessageRows,
  joinRows: LIMITS.tailJoinRows,
  progressMs: LIMITS.tailProgressMs,
  decodedBlocks: LIMITS.tailDecodedBlocks,
  encodedChars: LIMITS.tailEncodedChars,
  historyReads: LIMITS.maxHistoryReads,
  historyPatienceMs: LIMITS.tailHistoryPatienceMs,
  latestSeries: LIMITS.tailLatestSeries,
  sliceMs: LIMITS.sliceMs,
};
