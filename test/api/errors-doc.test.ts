import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

test('docs/errors.md says what the table of errors says', async () => {
  const run = promisify(execFile)(process.execPath, ['build/errors-doc.mjs', '--check']);
  await expect(run).resolves.toMatchObject({ stderr: '' });
});
