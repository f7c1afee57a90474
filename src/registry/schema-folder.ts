import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError, messageOf } from '../core/index.ts';
import type { Registry } from './registry.ts';

const EXTENSION = '.avsc';

/** Files with a byte that is none of UTF-8's are refused: a name with a character replaced would be another one. */
const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Registers every NAME.avsc of a folder under the subject NAME, in order of name; a changed file becomes
 * the subject's next version. Names that begin with a dot are passed over, as editors and systems leave such files.
 * Returns the subjects; null when there is no such folder. Throws what Registry.register throws, the message naming
 * the file, after those before it were registered.
 */
export async function loadSchemaFolder(registry: Registry, dir: string): Promise<string[] | null> {
  const files = await schemaFiles(dir);
  if (files === null) return null;
  const subjects: string[] = [];
  for (const file of files) {
    const subject = file.slice(0, -EXTENSION.length);
    const path = join(dir, file);
    try {
      await registry.register(subject, textOf(await readFile(path)));
    } catch (error) {
      const code = error instanceof MillraceError ? error.code : 'config_invalid';
      throw new MillraceError(code, `${path}: ${messageOf(error)}`, { cause: error });
    }
    subjects.push(subject);
  }
  return subjects;
}

/** Without the byte order mark that some editors begin a file with. */
function textOf(bytes: Uint8Array): string {
  try {
    return UTF_8.decode(bytes);
  } catch (cause) {
    throw new MillraceError('schema_invalid', 'the file is not UTF-8; save it in that encoding', { cause });
  }
}

async function schemaFiles(dir: string): Promise<string[] | null> {
  try {
    const names = await readdir(dir);
    return names.filter((name) => name.endsWith(EXTENSION) && !name.startsWith('.')).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new MillraceError('config_invalid', `schemas: cannot read ${dir}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
