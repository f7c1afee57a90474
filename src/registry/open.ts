import { mkdirSync } from 'node:fs';
import { open, type Database } from 'lmdb';
import { compileSchema } from '../codec/index.ts';
import { LIMITS, MillraceError, type Measurement } from '../core/index.ts';
import { Measurements } from './measurements.ts';
import type { RegisteredSchema, Registry, ResolvedFrame } from './registry.ts';
import { SchemaIndex } from './schema-index.ts';

/** The layout of the registry's lmdb environment. */
const FORMAT = 1;

/**
 * Opens the registry in `dir`, creating it when there is none. Three tables: `meta` (format, next id),
 * `schemas` (id → the text as registered), `versions` ([subject, version] → id). Every change is one
 * transaction, synced before `register` resolves. Throws `data_dir_version`.
 */
export async function openRegistry({ dir }: { dir: string }): Promise<Registry> {
  mkdirSync(dir, { recursive: true });
  const root = open({ path: dir, maxDbs: 4 });
  const tables = {
    meta: root.openDB<number, string>('meta', {}),
    schemas: root.openDB<string, number>('schemas', {}),
    versions: root.openDB<number, [string, number]>('versions', {}),
  };
  const format = tables.meta.get('format') ?? FORMAT;
  if (format > FORMAT) {
    await root.close();
    throw new MillraceError(
      'data_dir_version',
      `the registry has format ${format}, this version knows up to ${FORMAT}`,
    );
  }
  return new LmdbRegistry(
    tables,
    () => root.close(),
    () => root.flushed,
  );
}

interface Tables {
  meta: Database<number, string>;
  schemas: Database<string, number>;
  versions: Database<number, [string, number]>;
}

class LmdbRegistry implements Registry {
  readonly #tables: Tables;
  readonly #close: () => Promise<void>;
  readonly #flushed: () => Promise<boolean>;
  readonly #index = new SchemaIndex();
  readonly #measurements = new Measurements();
  readonly #listeners = new Set<() => void>();
  #listed: readonly Measurement[] | null = null;
  /** Registrations happen one after another. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(tables: Tables, close: () => Promise<void>, flushed: () => Promise<boolean>) {
    this.#tables = tables;
    this.#close = close;
    this.#flushed = flushed;
    for (const { key: id, value: text } of tables.schemas.getRange({})) {
      this.#index.add({ id, text, compiled: compileSchema(text) });
    }
    // Columns stand in the order in which the schemas that brought them were registered.
    const versions = [...tables.versions.getRange({})].toSorted((a, b) => a.value - b.value);
    for (const { key, value: id } of versions) {
      const schema = this.#index.byId(id);
      if (schema !== undefined) this.#measurements.add(schema.compiled.mapping, key[0]);
    }
  }

  resolve(bytes: Uint8Array, start: number, end: number): ResolvedFrame {
    return this.#index.resolve(bytes, start, end);
  }

  byId(id: number): RegisteredSchema | undefined {
    return this.#index.byId(id);
  }

  measurements(): readonly Measurement[] {
    this.#listed ??= this.#measurements.list();
    return this.#listed;
  }

  measurement(name: string): Measurement | undefined {
    return this.measurements().find((measurement) => measurement.name === name);
  }

  register(subject: string, text: string): Promise<{ id: number; version: number }> {
    const done = this.#turn.then(() => this.#register(subject, text));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #register(subject: string, text: string): Promise<{ id: number; version: number }> {
    if (Buffer.byteLength(text) > LIMITS.maxSchemaBytes) {
      throw new MillraceError('schema_invalid', `the schema has more than ${LIMITS.maxSchemaBytes} bytes`);
    }
    const compiled = compileSchema(text);
    const { meta, schemas, versions } = this.#tables;
    const earlier = [...versions.getRange({ start: [subject, 0], end: [subject, Number.MAX_SAFE_INTEGER] })];
    const normal = normalText(text);
    const same = earlier.find(({ value: id }) => normalText(this.#index.byId(id)?.text ?? '') === normal);
    if (same !== undefined) return { id: same.value, version: same.key[1] };

    const twin = this.#index.byFingerprint(compiled.fingerprint);
    if (twin !== undefined && twin.compiled.shape !== compiled.shape) {
      throw new MillraceError(
        'schema_conflict',
        `schema ${twin.id} has the same fingerprint ${compiled.fingerprint} but becomes other points ` +
          '(roles or the measurement differ): a frame could not tell which one wrote it',
      );
    }
    this.#measurements.check(compiled.mapping);
    const id = twin !== undefined && normalText(twin.text) === normal ? twin.id : (meta.get('nextId') ?? 1);
    const isNew = this.#index.byId(id) === undefined;
    if (isNew && this.#index.size >= LIMITS.maxSchemas) {
      throw new MillraceError(
        'schema_invalid',
        `the registry holds its limit of ${LIMITS.maxSchemas} schemas`,
      );
    }
    const version = (earlier.at(-1)?.key[1] ?? 0) + 1;
    await meta.transaction(() => {
      void meta.put('format', FORMAT);
      if (isNew) {
        void meta.put('nextId', id + 1);
        void schemas.put(id, text);
      }
      void versions.put([subject, version], id);
    });
    await this.#flushed();

    if (isNew) this.#index.add({ id, text, compiled });
    this.#measurements.add(compiled.mapping, subject);
    this.#listed = null;
    for (const listener of this.#listeners) listener();
    return { id, version };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#close();
  }
}

/** White space does not make another schema. */
function normalText(text: string): string {
  return text === '' ? '' : JSON.stringify(JSON.parse(text));
}
