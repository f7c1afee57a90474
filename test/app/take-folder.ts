/** A process that takes and releases a data folder on request: `take EPOCH_MS`, `release`. */
import { createInterface } from 'node:readline';
import { openDataFolder, type DataFolder } from '../../src/app/data-folder.ts';
import { MillraceError } from '../../src/core/index.ts';

const [dir = ''] = process.argv.slice(2);
const held: DataFolder[] = [];

function take(): string {
  try {
    held.push(openDataFolder(dir));
    return 'taken';
  } catch (error) {
    return error instanceof MillraceError ? error.code : String(error);
  }
}

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('take')) {
    const atMs = Number(line.slice(5));
    while (Date.now() < atMs);
    process.stdout.write(`${take()}\n`);
  } else {
    held.pop()?.release();
    process.stdout.write('released\n');
  }
}
