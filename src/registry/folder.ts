import { readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { MillraceError, messageOf } from '../core/index.ts';
import type { Registry } from './registry.ts';

/**
 * Registers every NAME.avsc of a folder under the subject NAME, in order of name; a changed file becomes
 * the subject's next version. Returns the subjects. Throws with the file's name in front of the reason.
 */
export async function loadSchemaFolder(registry: Registry, dir: string): Promise<string[]> {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch (error) {
    throw new MillraceError(
      'config_invalid',
      `MILLRACE_SCHEMAS: cannot read the folder ${dir}: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
  const files = names.filter((name) => extname(name) === '.avsc').toSorted();
  const subjects: string[] = [];
  for (const file of files) {
    const subject = basename(file, '.avsc');
    try {
      await registry.register(subject, readFileSync(join(dir, file), 'utf8'));
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      const at = error.path === undefined ? '' : `${error.path}: `;
      throw new MillraceError(error.code, `${join(dir, file)}: ${at}${error.message}`, { cause: error });
    }
    subjects.push(subject);
  }
  return subjects;
}
