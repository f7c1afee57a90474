import { compileSchema } from '../codec/index.ts';
import { LIMITS, MillraceError, messageOf, type Measurement } from '../core/index.ts';
import { MergedMeasurements } from './measurement-merge.ts';
import type { RegisteredSchema, Registry, ResolvedFrame, SubjectVersion } from './registry.ts';
import { SchemaFiles } from './schema-files.ts';
import { SchemaIndex } from './schema-index.ts';

/** `maxTimeAheadMs`: how far ahead of receipt a reading's time may lie; LIMITS.maxTimeAheadMs by default. */
export interface RegistryOptions {
  dir: string;
  maxTimeAheadMs?: number;
}

/**
 * Opens the registry in a folder of its own (made when it is not there). What was registered stays, with
 * its ids, over restarts and crashes. Throws `data_dir_version`.
 */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const files = await SchemaFiles.open(options.dir);
  try {
    return new DiskRegistry(files, options.maxTimeAheadMs ?? LIMITS.maxTimeAheadMs);
  } catch (error) {
    await files.close();
    throw error;
  }
}

class DiskRegistry implements Registry {
  readonly #files: SchemaFiles;
  readonly #maxTimeAheadMs: number;
  readonly #index = new SchemaIndex();
  readonly #idByText = new Map<string, number>();
  readonly #subjects = new Map<string, SubjectVersion[]>();
  readonly #measurements = new MergedMeasurements();
  readonly #listeners = new Set<() => void>();
  /** Registrations go one by one: each is checked against what those before it left. */
  #last: Promise<unknown> = Promise.resolve();
  #nextId: number;

  constructor(files: SchemaFiles, maxTimeAheadMs: number) {
    this.#files = files;
    this.#maxTimeAheadMs = maxTimeAheadMs;
    this.#nextId = files.nextId();
    for (const { id, text } of files.schemas()) {
      this.#index.add(this.#compile(id, text));
      this.#idByText.set(withoutSpaces(text), id);
    }
    // In order of id, as they were registered: the order of a measurement's columns comes from it.
    for (const version of [...files.versions()].sort((a, b) => a.id - b.id)) this.#remember(version);
    for (const versions of this.#subjects.values()) versions.sort((a, b) => a.version - b.version);
  }

  resolve(bytes: Uint8Array, start: number, end: number): ResolvedFrame {
    return this.#index.resolve(bytes, start, end);
  }

  byId(id: number): RegisteredSchema | undefined {
    return this.#index.byId(id);
  }

  measurements(): readonly Measurement[] {
    return this.#measurements.all();
  }

  measurement(name: string): Measurement | undefined {
    return this.#measurements.get(name);
  }

  subjects(): readonly string[] {
    const live = [...this.#subjects].filter(([, versions]) => versions.some(({ deleted }) => !deleted));
    return live.map(([subject]) => subject).sort();
  }

  versions(subject: string): readonly SubjectVersion[] {
    return this.#subjects.get(subject) ?? [];
  }

  async register(subject: string, text: string): Promise<{ id: number; version: number }> {
    const registration = this.#last.then(async () => this.#register(subject, text));
    this.#last = registration.catch(() => undefined);
    return registration;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#files.close();
  }

  async #register(subject: string, text: string): Promise<{ id: number; version: number }> {
    const candidate = this.#compile(this.#nextId, text);
    const plain = withoutSpaces(text);
    const knownId = this.#idByText.get(plain);
    const versions = this.#subjects.get(subject) ?? [];
    const same = versions.find((version) => version.id === knownId && !version.deleted);
    if (same !== undefined) return { id: same.id, version: same.version };
    if (knownId === undefined) this.#refuse(candidate);

    const id = knownId ?? candidate.id;
    const version = { subject, version: (versions.at(-1)?.version ?? 0) + 1, id, deleted: false };
    await this.#files.add(version, knownId === undefined ? text : null);
    if (knownId === undefined) {
      this.#nextId = id + 1;
      this.#index.add(candidate);
      this.#idByText.set(plain, id);
    }
    this.#remember(version);
    for (const listener of this.#listeners) listener();
    return { id, version: version.version };
  }

  /** Throws when a new schema may not join those that are there. */
  #refuse({ compiled }: RegisteredSchema): void {
    if (this.#index.size >= LIMITS.maxSchemas) {
      throw new MillraceError('registry_full', `the registry holds ${LIMITS.maxSchemas} schemas`);
    }
    this.#measurements.check(compiled.mapping);
    const twin = this.#index.byFingerprint(compiled.fingerprint);
    if (twin !== undefined && twin.compiled.shape !== compiled.shape) {
      throw new MillraceError(
        'schema_conflict',
        `the schema has the fingerprint ${compiled.fingerprint} of schema ${twin.id} but maps to other points ` +
          '(measurement, roles or times differ): its frames could not be told apart',
      );
    }
  }

  #compile(id: number, text: string): RegisteredSchema {
    return { id, text, compiled: compileSchema(text, { maxTimeAheadMs: this.#maxTimeAheadMs }) };
  }

  #remember(version: SubjectVersion): void {
    const schema = this.#index.byId(version.id);
    if (schema === undefined) {
      throw new MillraceError('internal', `${version.subject} names the schema ${version.id}, which is lost`);
    }
    const versions = this.#subjects.get(version.subject) ?? [];
    versions.push(version);
    this.#subjects.set(version.subject, versions);
    this.#measurements.add(schema.compiled.mapping, version.subject);
  }
}

/** The schema without spaces and line breaks that mean nothing. */
function withoutSpaces(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw new MillraceError('schema_invalid', messageOf(error), { cause: error });
  }
}
