import { join } from 'node:path';
import { open, type RootDatabase, type Database } from 'lmdb';
import { MillraceError } from '../core/index.ts';
import { makeFolder, OpenFiles } from '../files/index.ts';
import type { SubjectVersion } from './registry.ts';

const FORMAT = 1;

/**
 * The registry on disk, an lmdb environment with three tables, values in JSON:
 * - `schemas`: id → `{"text": …}`. Never changed, never removed.
 * - `versions`: [subject, version] → `{"id": …, "deleted": …}`.
 * - `meta`: `format` → 1, `nextId` → the id that the next new schema gets.
 */
export class SchemaFiles {
  readonly #root: RootDatabase;
  readonly #schemas: Database<{ text: string }, number>;
  readonly #versions: Database<{ id: number; deleted: boolean }, [string, number]>;
  readonly #meta: Database<number, string>;
  readonly #files: OpenFiles;

  private constructor(root: RootDatabase, dir: string) {
    this.#files = new OpenFiles([join(dir, 'data.mdb'), join(dir, 'lock.mdb')]);
    this.#root = root;
    this.#schemas = root.openDB({ name: 'schemas', encoding: 'json' });
    this.#versions = root.openDB({ name: 'versions', encoding: 'json' });
    this.#meta = root.openDB({ name: 'meta', encoding: 'json' });
  }

  /** Opens or makes the folder. Throws `data_dir_version` when a newer version of the program wrote it. */
  static async open(dir: string): Promise<SchemaFiles> {
    makeFolder(dir);
    const files = new SchemaFiles(open({ path: dir, maxDbs: 8 }), dir);
    const format = files.#meta.get('format') ?? FORMAT;
    if (format > FORMAT) {
      await files.close();
      throw new MillraceError(
        'data_dir_version',
        `the registry in ${dir} has format ${format}, this version reads up to ${FORMAT}`,
      );
    }
    return files;
  }

  /** All schemas in order of id. */
  *schemas(): Iterable<{ id: number; text: string }> {
    for (const { key, value } of this.#schemas.getRange()) yield { id: key, text: value.text };
  }

  /** All versions of all subjects, each subject's in order. */
  *versions(): Iterable<SubjectVersion> {
    for (const { key, value } of this.#versions.getRange()) {
      yield { subject: key[0], version: key[1], id: value.id, deleted: value.deleted };
    }
  }

  nextId(): number {
    return this.#meta.get('nextId') ?? 1;
  }

  /** Writes a version, and its schema when that is new, in one transaction; resolves when it is synced. Throws as `look` does. */
  async add(version: SubjectVersion, newText: string | null): Promise<void> {
    const { subject, id, deleted } = version;
    await this.#root.transaction(() => {
      void this.#meta.put('format', FORMAT);
      if (newText !== null) {
        void this.#schemas.put(id, { text: newText });
        void this.#meta.put('nextId', id + 1);
      }
      void this.#versions.put([subject, version.version], { id, deleted });
    });
    await this.#root.flushed;
    this.look();
  }

  /** Throws `data_dir_gone` when the files at their paths are other ones by now, or none. */
  look(): void {
    this.#files.look();
  }

  async close(): Promise<void> {
    await this.#root.close();
  }
}
