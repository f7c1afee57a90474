/** What the disk takes with nothing in the way: blocks of 1 MB, each synced before the next one. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';

export const BLOCK_BYTES = 1024 * 1024;

/** Blocks full of `content`, each with bytes of its own, as lmdb-js keeps a block until it is written. */
function block(content) {
  return Buffer.allocUnsafeSlow(BLOCK_BYTES).fill(content);
}

/** Bytes a second into lmdb, with the settings of the journal. */
export async function bareLmdb(dir, seconds, content = Buffer.alloc(1, 1)) {
  const root = open({
    path: join(dir, 'bare.lmdb'),
    overlappingSync: false,
    eventTurnBatching: false,
    encoding: 'binary',
  });
  const begin = performance.now();
  let blocks = 0;
  while (performance.now() - begin < seconds * 1_000) await root.put(blocks++, block(content));
  const elapsedS = (performance.now() - begin) / 1_000;
  await root.close();
  return (blocks * BLOCK_BYTES) / elapsedS;
}

/** Bytes a second by write and fdatasync. */
export function bareFile(dir, seconds, content = Buffer.alloc(1, 1)) {
  const file = openSync(join(dir, 'bare'), 'w');
  const bytes = block(content);
  const begin = performance.now();
  let blocks = 0;
  while (performance.now() - begin < seconds * 1_000) {
    writeSync(file, bytes);
    fdatasyncSync(file);
    blocks++;
  }
  const elapsedS = (performance.now() - begin) / 1_000;
  closeSync(file);
  return (blocks * BLOCK_BYTES) / elapsedS;
}
