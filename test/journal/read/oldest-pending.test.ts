import { expect, test } from '@jest/globals';
import { readBlockInfo } from '../../../src/journal/local/format/block.ts';
import { OldestPending } from '../../../src/journal/local/read/oldest-pending.ts';
import { EMPTY_STATE } from '../../../src/journal/local/format/state.ts';

test('of a block whose header is damaged the age is unknown, and whoever asks how the journal is gets an answer', () => {
  const damaged = {
    *infos() {
      yield readBlockInfo(Buffer.alloc(3));
    },
  };
  const pending = new OldestPending(damaged);
  expect(pending.arrivalMs({ ...EMPTY_STATE, head: 5 })).toBeNull();
});
