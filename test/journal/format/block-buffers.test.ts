import { expect, test } from '@jest/globals';
import { LIMITS } from '../../../src/core/index.ts';
import { BlockBuffers } from '../../../src/journal/local/format/block-buffers.ts';

/** As many of the buffers given back as are handed out again. */
function kept(buffers: BlockBuffers, given: readonly Buffer[]): number {
  const before = new Set(given);
  return given.filter(() => before.has(buffers.take())).length;
}

test('as many buffers are used again as may wait for the disk, and few once the load is over', () => {
  const buffers = new BlockBuffers(1_000);
  const taken = Array.from({ length: LIMITS.journalSpareBlocks + 3 }, () => buffers.take());
  for (const buffer of taken) buffers.give(buffer);
  expect(kept(buffers, taken)).toBe(LIMITS.journalSpareBlocks);

  for (const buffer of taken) buffers.give(buffer);
  buffers.shrink();
  expect(kept(buffers, taken)).toBe(LIMITS.journalIdleBlocks);
});
