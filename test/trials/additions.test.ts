import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { temporaryFolder } from '../fixtures/folder.ts';

/** An addition made in one place only: the compiler has to name every other place that must know of it. */
interface Trial {
  adds: string;
  file: string;
  /** The text in `file` behind which `added` is put. */
  behind: string;
  added: string;
  /** Exactly the files that do not compile then. */
  places: readonly string[];
}

const TRIALS: readonly Trial[] = [
  {
    adds: 'a store',
    file: 'src/config/store-settings.ts',
    behind: 'export const STORE_SETTINGS = {\n',
    added: '  clickhouse: {},\n',
    places: [
      'src/store/stores.ts',
      'test/dashboard/status.test.ts',
      'test/store/stores-under-test.ts',
      'test/writer/exactly-once.test.ts',
    ],
  },
  {
    adds: 'an aggregate function',
    file: 'src/core/aggregate-functions.ts',
    behind: 'export const AGGREGATE_FUNCTIONS = {\n',
    added:
      "  spread: { takes: 'numbers', keepsValues: false, gives: 'its type', hasUnit: true, meaning: 'the spread' },\n",
    places: [
      'src/store/duckdb/read/functions.ts',
      'src/store/influx/read/server-aggregate.ts',
      'src/store/shared/accumulators.ts',
      'test/store/reference.ts',
    ],
  },
  {
    adds: 'an answer form',
    file: 'src/core/answer-forms.ts',
    behind: 'export const ANSWER_FORMS = {\n',
    added: "  xml: 'text',\n",
    places: ['src/answers/forms/index.ts'],
  },
  {
    adds: 'an answer form that no contract names',
    file: 'src/answers/forms/index.ts',
    behind: '  json: jsonForm,\n',
    added: '  xml: jsonForm,\n',
    places: ['src/answers/forms/index.ts'],
  },
  {
    adds: 'a transport',
    file: 'src/core/transports.ts',
    behind: '  mqtt: { numbered: false },\n',
    added: '  coap: { numbered: false },\n',
    places: ['src/app/ways-in.ts', 'src/ingest/identity.ts'],
  },
];

const COPIED = ['src', 'test', 'bench', 'devices', 'tsconfig.json', 'package.json'];
const ROOT = process.cwd();
let scratch: ReturnType<typeof temporaryFolder>;

beforeAll(() => {
  scratch = temporaryFolder();
  for (const name of COPIED) cpSync(join(ROOT, name), join(scratch.path, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(scratch.path, 'node_modules'));
});
afterAll(() => scratch.remove());

/** The files of the scratch copy that do not compile, in order of name. */
function failingFiles(): string[] {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout, stderr, error } = spawnSync(process.execPath, [tsc, '-p', '.', '--pretty', 'false'], {
    cwd: scratch.path,
    encoding: 'utf8',
  });
  if (error !== undefined || stderr !== '') throw new Error(stderr, { cause: error });
  const files = [...stdout.matchAll(/^([^\s(][^(\n]*)\(\d+,\d+\): error /gm)].map((match) => match[1] ?? '');
  return [...new Set(files)].sort();
}

test.each(TRIALS)(
  '$adds, added in one place only, does not compile where it is lacking',
  (trial) => {
    const file = join(scratch.path, trial.file);
    const before = readFileSync(file, 'utf8');
    expect(before.split(trial.behind)).toHaveLength(2);
    writeFileSync(
      file,
      before.replace(trial.behind, () => trial.behind + trial.added),
    );
    try {
      expect(failingFiles()).toEqual([...trial.places].sort());
    } finally {
      writeFileSync(file, before);
    }
  },
  120_000,
);
