import { LIMITS, Slice, NO_READINGS, addReadings, type ByTransport } from '../core/index.ts';
import type { FollowedJournal } from '../journal/index.ts';

/** What the operator chose to lose when the store stays away for too long. */
export interface ExpiryLimits {
  /** Age of the oldest frame that is not stored; null for any. */
  maxAgeMs: number | null;
}

/** Frames at [from, position) that are to be given up, and why. */
export interface Expiry {
  from: number;
  position: number;
  readings: ByTransport;
  limit: 'bytes' | 'age';
}

/** Blocks that one settlement gives up at most, so that room is made soon. */
const MAX_BLOCKS = 64;

/**
 * Which of the oldest blocks to give up, always whole: from `expireAtFill` of the journal's bytes on so many that
 * `expireToFill` is left, and those with nothing younger than the age. The age counts only while the store takes
 * nothing (`storeFails`): what was waiting for the process to start, or came back from the dead letters, is written
 * rather than dropped. Null when nothing is due. No frame before settledPosition() may be in a write.
 */
export async function dueExpiry(
  journal: Pick<FollowedJournal, 'stats' | 'settledPosition' | 'read'>,
  { maxAgeMs }: ExpiryLimits,
  storeFails: boolean,
  nowMs: number,
): Promise<Expiry | null> {
  const { bytes, pendingBytes, maxBytes, oldestPendingMs } = journal.stats();
  const excessBytes = bytes < LIMITS.expireAtFill * maxBytes ? 0 : bytes - LIMITS.expireToFill * maxBytes;
  const oldestMs = maxAgeMs === null || !storeFails ? -Infinity : nowMs - maxAgeMs;
  // Settled blocks, kept for tails, go before any frame is lost.
  let freedBytes = bytes - pendingBytes;
  if (freedBytes >= excessBytes && (oldestPendingMs === null || oldestPendingMs >= oldestMs)) return null;

  const slice = new Slice();
  const first = journal.settledPosition();
  let readings: ByTransport = { ...NO_READINGS };
  let position = first;
  let limit: Expiry['limit'] = 'age';
  for (let blocks = 0; blocks < MAX_BLOCKS; blocks++) {
    const block = journal.read(position);
    if (block === undefined) break;
    const ofBlock = { ...NO_READINGS };
    // A replayed frame keeps the time of its first arrival, but is as young as its block.
    let newestMs = block.arrivalMs;
    for (const frame of block.frames(position)) {
      ofBlock[frame.transport] += frame.readings;
      newestMs = Math.max(newestMs, frame.arrivalMs);
    }
    const forBytes = freedBytes < excessBytes;
    if (!forBytes && newestMs >= oldestMs) break;
    if (forBytes) limit = 'bytes';
    readings = addReadings(readings, ofBlock);
    freedBytes += block.sizeBytes;
    position = block.next;
    await slice.pause();
  }
  return position === first ? null : { from: first, position, readings, limit };
}
