/**
 * The local journal's storage without the sync: the same writes in the same transactions, into an lmdb environment
 * of the same settings but `noSync`. For benchmarks only: it reads nothing back and survives no power cut.
 */
import { join } from 'node:path';
import { open } from 'lmdb';
import { EMPTY_STATE } from '../dist/src/journal/local/format/state.js';

export function openUnsynced(dir) {
  const root = open({
    path: join(dir, 'unsynced.lmdb'),
    noSync: true,
    overlappingSync: false,
    eventTurnBatching: false,
    mapSize: 128 * 1024 ** 3,
    maxDbs: 8,
  });
  const meta = root.openDB('meta', { encoding: 'json', useVersions: true });
  const blocks = root.openDB('blocks', { encoding: 'binary' });
  const devices = root.openDB('devices', { encoding: 'binary' });
  const outboxes = root.openDB('outboxes', { encoding: 'json' });
  meta.transactionSync(() => void meta.put('writer', { pid: process.pid }, 1));
  return {
    epoch: 'unsynced',
    state: EMPTY_STATE,
    async commit(change) {
      if (change.letters.length + change.removedBlocks.length > 0) throw new Error('not what is measured');
      await meta.ifVersion('writer', 1, () => {
        for (const { first, bytes } of change.blocks) void blocks.put(first, bytes);
        if (change.snapshot !== null) void devices.put('snapshot', change.snapshot);
        for (const [device, record] of change.outboxes) void outboxes.put(device, record);
        void meta.put('state', change.state);
      });
    },
    blockAt: () => undefined,
    infos: () => [],
    snapshot: () => undefined,
    cursors: () => [],
    outboxes: () => [],
    contents: () => [],
    letter: () => undefined,
    lettersFrom: () => [],
    letters: () => [],
    reopen: () => Promise.reject(new Error('not what is measured')),
    look: () => {},
    forgetDeadReaders: () => {},
    close: () => root.close(),
  };
}
