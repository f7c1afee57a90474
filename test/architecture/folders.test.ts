import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';

/** A file imports from its own folder, or from the index of a folder of lower rank. */
const RANKS: Record<string, number> = {
  core: 0,
  config: 1,
  files: 1,
  telemetry: 1,
  net: 1,
  codec: 2,
  registry: 3,
  journal: 3,
  store: 3,
  ingest: 4,
  writer: 4,
  tail: 4,
  answers: 4,
  api: 5,
  app: 6,
  cli: 7,
  gateway: 7,
};
/** Folders that run elsewhere: the client library imports nothing, the page only the client. */
const APART: Record<string, readonly string[]> = { client: [], dashboard: ['client'] };
/**
 * The order inside a folder, lowest first: an entry imports from those of earlier steps and from itself. A name that ends
 * in .ts is a file; '.' stands for the folder's other files.
 */
const INNER_ORDER: Record<string, readonly (readonly string[])[]> = {
  'journal/local': [
    ['format'],
    ['numbers', 'dedupe'],
    ['lmdb'],
    ['commit'],
    ['recover', 'read', 'check'],
    ['.'],
  ],
  store: [['.'], ['shared'], ['duckdb', 'influx'], ['stores.ts'], ['index.ts']],
  'store/duckdb': [['file'], ['write', 'read'], ['.']],
  'store/influx': [['transport'], ['write', 'read'], ['.']],
};
const ROOT = process.cwd();
const SRC = join(ROOT, 'src');

function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(dir, name));
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    resolve(dirname(file), match[1] ?? ''),
  );
}

const files = filesBelow(SRC);
const folderOf = (file: string): string => relative(SRC, file).split('/')[0] ?? '';

describe('folders of src', () => {
  test('every folder has a rank', () => {
    const folders = readdirSync(SRC, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const unknown = folders.map((entry) => entry.name).filter((name) => !(name in RANKS) && !(name in APART));
    expect(folders.length).toBeGreaterThan(10);
    expect(unknown).toEqual([]);
  });

  test('a file imports only from its own folder or the index of a folder of lower rank', () => {
    const wrong: string[] = [];
    for (const file of files) {
      const from = folderOf(file);
      for (const target of importsOf(file)) {
        const to = target.startsWith(SRC) ? folderOf(target) : 'outside';
        if (to === from) continue;
        const isIndex = relative(SRC, target) === `${to}/index.ts`;
        const allowed =
          from in APART
            ? (APART[from] ?? []).includes(to)
            : to === 'outside'
              ? from === 'cli' && relative(ROOT, target) === 'devices/index.ts'
              : (RANKS[to] ?? (from === 'cli' && to === 'client' ? -1 : Infinity)) < (RANKS[from] ?? -1);
        if (!allowed || (to !== 'outside' && !isIndex))
          wrong.push(`${relative(ROOT, file)} → ${relative(ROOT, target)}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each(Object.entries(INNER_ORDER))('%s: its parts import only from lower ones', (folder, steps) => {
    const dir = join(SRC, folder);
    const entries = readdirSync(dir, { withFileTypes: true });
    const named = steps.flat();
    const isNamed = (name: string): boolean => named.includes(name);
    expect(named.filter((name) => name !== '.' && !entries.some((entry) => entry.name === name))).toEqual([]);
    expect(entries.filter((entry) => entry.isDirectory() && !isNamed(entry.name))).toEqual([]);
    const partOf = (file: string): string => {
      const [first = '.'] = relative(dir, file).split('/');
      return isNamed(first) ? first : '.';
    };
    const stepOf = (part: string): number => steps.findIndex((step) => step.includes(part));
    const inside = files.filter((file) => file.startsWith(`${dir}/`));
    const wrong = inside.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.startsWith(`${dir}/`))
        .filter((target) => {
          const [from, to] = [partOf(file), partOf(target)];
          return from !== to && stepOf(to) >= stepOf(from);
        })
        .map((target) => `${relative(ROOT, file)} → ${relative(ROOT, target)}`),
    );
    expect(wrong).toEqual([]);
  });

  test('no two files import each other around a circle', () => {
    const done = new Set<string>();
    const circles: string[] = [];
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) {
        circles.push(
          [...path.slice(path.indexOf(file)), file].map((name) => relative(ROOT, name)).join(' → '),
        );
        return;
      }
      if (done.has(file)) return;
      for (const target of importsOf(file)) if (files.includes(target)) walk(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) walk(file, []);
    expect(circles).toEqual([]);
  });

  test('every folder with a rank has an index that opens with what the folder does', () => {
    const silent = Object.keys(RANKS)
      .filter((name) => name !== 'cli')
      .filter((name) => !readFileSync(join(SRC, name, 'index.ts'), 'utf8').startsWith('/**'));
    expect(silent).toEqual([]);
  });
});

test('no source file is over 400 lines', () => {
  const all = ['src', 'devices', 'test', 'bench'].flatMap((dir) => {
    try {
      return filesBelow(join(ROOT, dir));
    } catch {
      return [];
    }
  });
  const long = all.filter((file) => readFileSync(file, 'utf8').split('\n').length > 401);
  expect(all.length).toBeGreaterThan(50);
  expect(long.map((file) => relative(ROOT, file))).toEqual([]);
});
