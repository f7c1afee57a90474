import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError, messageOf } from '../core/index.ts';
import type { Registry } from './registry.ts';

const EXTENSION = '.avsc';

/**
 * Registers every NAME.avsc of a folder under the subject NAME, in order of name; a changed file becomes
 * the subject's next version. Returns the subjects; none when there is no such folder. Throws what
 * Registry.register throws, the message naming the file, after those before it were registered.
 */
export async function loadSchemaFolder(registry: Registry, dir: string): Promise<string[]> {
  const subjects: string[] = [];
  for (const file of await schemaFiles(dir)) {
    const subject = file.slice(0, -EXTENSION.length);
    const path = join(dir, file);
    try {
      await registry.register(subject, await readFile(path, 'utf8'));
    } catch (error) {
      const code = error instanceof MillraceError ? error.code : 'config_invalid';
      throw new MillraceError(code, `${path}: ${messageOf(error)}`, { cause: error });
    }
    subjects.push(subject);
  }
  return subjects;
}

async function schemaFiles(dir: string): Promise<string[]> {
  try {
    const names = await readdir(dir);
    return names.filter((name) => name.endsWith(EXTENSION) && name !== EXTENSION).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new MillraceError('config_invalid', `schemas: cannot read ${dir}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
