import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openLocalJournal } from '../../src/journal/index.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { runMillrace, startServer } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

const FRAMES = 60_000;
const BLOCK = 1_000;

let folder: ReturnType<typeof temporaryFolder>;
let data: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = temporaryFolder();
  data = join(folder.path, 'data');
  env = { MILLRACE_DATA_DIR: data };
  const journal = await openLocalJournal({ dir: join(data, 'journal'), queueBytes: 1e9 });
  const origin = { device: 'truck-1', transport: 'ws' as const, onDurable() {}, onFailed() {} };
  for (let seq = 1; seq <= FRAMES; seq++) {
    journal.append(origin, seq, Buffer.alloc(500, seq), 3, 1_700_000_000_000 + seq, null);
    if (seq % BLOCK === 0) await journal.flush();
  }
  await journal.close();
});
afterAll(() => folder.remove());

/** The same data folder with a damaged journal. */
function damaged(name: string, damage: (file: string) => void): Record<string, string> {
  const dir = join(folder.path, name, 'journal');
  const file = join(dir, 'journal.lmdb');
  const source = readFileSync(join(data, 'journal', 'journal.lmdb'));
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, source);
  damage(file);
  return { MILLRACE_DATA_DIR: join(folder.path, name) };
}

function flipBit(file: string, position: number): void {
  const bytes = readFileSync(file);
  let at = bytes.indexOf('MRJB');
  while (at >= 0 && bytes.readDoubleLE(at + 16) !== position) at = bytes.indexOf('MRJB', at + 4);
  const open = openSync(file, 'r+');
  writeSync(open, Buffer.of((bytes[at + 1_000] ?? 0) ^ 4), 0, 1, at + 1_000);
  closeSync(open);
}

describe('millrace journal check', () => {
  test('tells of a sound journal, exit 0', async () => {
    const result = await runMillrace(['journal', 'check', '--json'], env);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(result.stdout)).toMatchObject({
      sound: true,
      head: FRAMES,
      frames: FRAMES,
      readings: 3 * FRAMES,
      deviceNumbers: { snapshot: 'readable', devices: 1 },
      readable: [{ from: 0, to: FRAMES }],
    });
    const text = await runMillrace(['journal', 'check', '--data-dir', data]);
    expect(text.stdout).toContain('journal.lmdb: sound');
    expect(text.stdout).toContain(`tail 0, settled 0, head ${FRAMES}`);
  });

  test('names what is damaged, exit 1', async () => {
    const result = await runMillrace(
      ['journal', 'check'],
      damaged('flipped', (file) => flipBit(file, 5 * BLOCK)),
    );
    expect(result.code).toBe(1);
    expect(result.stdout).toContain('journal.lmdb: DAMAGED');
    expect(result.stdout).toContain(`damaged block  at position ${5 * BLOCK}`);
    expect(result.stdout).toMatch(new RegExp(`lost +positions ${5 * BLOCK} to ${6 * BLOCK - 1}\n`));
  });

  test('is refused while a server runs on the folder, which is not disturbed', async () => {
    const dir = join(folder.path, 'served');
    const server = await startServer({ MILLRACE_DATA_DIR: dir });
    try {
      const result = await runMillrace(['journal', 'check', '--data-dir', dir]);
      expect(result.code).toBe(1);
      expect(result.stderr).toContain('data_dir_in_use');
      expect(result.stderr).toContain(`${server.pid}`);
      expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    } finally {
      await server.end('SIGTERM');
    }
    expect(await runMillrace(['journal', 'check', '--data-dir', dir])).toMatchObject({ code: 0 });
  });

  test('makes no folder where there is none', async () => {
    const dir = join(folder.path, 'none');
    expect(await runMillrace(['journal', 'check', '--data-dir', dir])).toMatchObject({ code: 1 });
    expect(existsSync(dir)).toBe(false);
  });
});

describe('a server on a damaged journal', () => {
  test('does not start, says what is wrong and what to do, and changes nothing', async () => {
    const cut = damaged('cut', (file) => truncateSync(file, statSync(file).size / 2));
    const before = readFileSync(join(folder.path, 'cut', 'journal', 'journal.lmdb'));
    const result = await runMillrace(['serve', '--port', '0'], cut);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('journal_corrupt');
    expect(result.stderr).toMatch(/has \d+ bytes of the \d+/);
    expect(result.stderr).toContain('millrace journal export');
    expect(readFileSync(join(folder.path, 'cut', 'journal', 'journal.lmdb')).equals(before)).toBe(true);
  });
});

describe('millrace journal export', () => {
  test('writes one frame a line, between two positions', async () => {
    const out = join(folder.path, 'some.ndjson');
    const args = ['journal', 'export', '--out', out, '--from', '2500', '--to', '2502'];
    expect(await runMillrace(args, env)).toMatchObject({ code: 0, stdout: '', stderr: '' });
    const lines = readFileSync(out, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      [2501, 2502].map((seq) => ({
        position: seq - 1,
        device: 'truck-1',
        seq,
        transport: 'ws',
        arrival: new Date(1_700_000_000_000 + seq).toISOString(),
        readings: 3,
        bytes: Buffer.alloc(500, seq).toString('base64'),
      })),
    );
    expect(await runMillrace(args, env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--force'),
    });
    expect(await runMillrace([...args, '--force'], env)).toMatchObject({ code: 0 });
    expect(await runMillrace([...args, '--from', 'x'], env)).toMatchObject({ code: 2 });
  });

  test('saves the dead letters too, unless they are left out', async () => {
    const dir = join(folder.path, 'letters');
    const journal = await openLocalJournal({ dir: join(dir, 'journal') });
    const origin = { device: 'truck-2', transport: 'ws' as const, onDurable() {}, onFailed() {} };
    journal.append(origin, 1, Buffer.from('good'), 3, 1_700_000_000_000, null);
    journal.reject(origin, 2, {
      device: 'truck-2',
      transport: 'ws',
      atMs: 1_700_000_000_001,
      code: 'schema_unknown',
      message: 'no schema has this fingerprint',
      readings: 1,
      position: null,
      bytes: Buffer.from('bad'),
    });
    await journal.flush();
    await journal.close();
    const exported = async (...flags: string[]) => {
      const args = ['journal', 'export', '--out', '-', '--data-dir', dir, ...flags];
      const { stdout } = await runMillrace(args);
      return stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as object);
    };
    const frame = expect.objectContaining({ position: 0, bytes: Buffer.from('good').toString('base64') });
    expect(await exported()).toEqual([
      frame,
      {
        deadLetter: {
          id: '0',
          at: '2023-11-14T22:13:20.001Z',
          device: 'truck-2',
          transport: 'ws',
          kind: 'rejected',
          code: 'schema_unknown',
          message: 'no schema has this fingerprint',
          readings: 1,
          seq: 2,
          position: null,
          bytes: Buffer.from('bad').toString('base64'),
        },
      },
    ]);
    expect(await exported('--no-dead-letters')).toEqual([frame]);
  });

  test('of a damaged journal gives what can be read and tells on stderr what is missing', async () => {
    const result = await runMillrace(
      ['journal', 'export', '--out', '-'],
      damaged('flipped-too', (file) => flipBit(file, 0)),
    );
    expect(result.code).toBe(0);
    const positions = result.stdout
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { position: number }).position);
    expect(positions).toEqual(Array.from({ length: FRAMES - BLOCK }, (_, i) => BLOCK + i));
    expect(result.stderr).toMatch(/lost +positions 0 to 999/);
  });

  test('to a pipe that takes no more ends with 1 and says why, unless its reader has seen enough', async () => {
    const main = join(process.cwd(), 'dist', 'src', 'cli', 'main.js');
    const exported = (redirection: string) =>
      promisify(execFile)(
        'bash',
        ['-o', 'pipefail', '-c', `"$0" "$1" journal export --out - ${redirection}`, process.execPath, main],
        {
          env: { ...process.env, ...env },
        },
      );
    await expect(exported('> /dev/full')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/not whole: .*ENOSPC/),
    });
    expect((await exported('| head -n 1')).stdout).toContain('"position":0');
  });

  test('killed on its way leaves nothing under the name, and the next one takes its place', async () => {
    const dir = join(folder.path, 'killed');
    mkdirSync(dir, { recursive: true });
    const out = join(dir, 'all.ndjson');
    const main = join(process.cwd(), 'dist', 'src', 'cli', 'main.js');
    const child = spawn(process.execPath, [main, 'journal', 'export', '--out', out], {
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
    const exited = once(child, 'exit');
    await until('some of it to be written', () =>
      readdirSync(dir).some((name) => statSync(join(dir, name)).size > 0),
    );
    child.kill('SIGKILL');
    await exited;
    expect(existsSync(out)).toBe(false);
    expect(await runMillrace(['journal', 'export', '--out', out], env)).toMatchObject({ code: 0 });
    expect(readFileSync(out, 'utf8').split('\n')).toHaveLength(FRAMES + 1);
  }, 30_000);

  test('that cannot be written leaves nothing', async () => {
    const dir = join(folder.path, 'nowhere');
    const result = await runMillrace(['journal', 'export', '--out', join(dir, 'x')], env);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('output_unwritable') });
  });

  test('into a reader that has seen enough ends quietly', async () => {
    const main = join(process.cwd(), 'dist', 'src', 'cli', 'main.js');
    const child = spawn('sh', ['-c', `"${process.execPath}" "${main}" journal export --out - | head -n 1`], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
    child.stdout.resume();
    await once(child, 'close');
    expect(errors).toBe('');
  });
});
