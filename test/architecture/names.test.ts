import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = process.cwd();
const SRC = join(ROOT, 'src');
/** A class, interface, type or enum of a file, exported or not, and whatever else is exported. */
const DEFINED =
  /^(?:export (?:default )?)?(?:declare )?(?:abstract )?(?:class|interface|type|enum) (\w+)|^export (?:default )?(?:async )?(?:function\*? |const |let )(\w+)/gm;

/** The files that define each name. A re-export is no definition. */
function filesByName(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const name of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const file = join(SRC, name);
    const names = [...readFileSync(file, 'utf8').matchAll(DEFINED)].map(
      (match) => match[1] ?? match[2] ?? '',
    );
    for (const defined of new Set(names)) {
      found.set(defined, [...(found.get(defined) ?? []), relative(ROOT, file)]);
    }
  }
  return found;
}

test('no two files of src define a type of the same name, or export anything else of the same name', () => {
  const byName = filesByName();
  const shared = [...byName].filter(([, files]) => files.length > 1);
  expect(byName.size).toBeGreaterThan(500);
  expect(shared.map(([name, files]) => `${name}: ${files.join(', ')}`)).toEqual([]);
});
