import type { TimeBounds } from '../codec/index.ts';
import { LIMITS, MillraceError, messageOf, type Measurement } from '../core/index.ts';
import { KnownSchemas } from './known-schemas.ts';
import type {
  RegisteredSchema,
  Registry,
  RegistryContents,
  ResolvedFrame,
  SubjectVersion,
} from './registry.ts';
import { SchemaFiles } from './schema-files.ts';

export interface RegistryOptions extends TimeBounds {
  dir: string;
}

/**
 * Opens the registry in a folder of its own (made when it is not there). What was registered stays, with
 * its ids, over restarts and crashes. Throws `data_dir_version`.
 */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const files = await SchemaFiles.open(options.dir);
  try {
    return new DiskRegistry(files, options);
  } catch (error) {
    await files.close();
    throw error;
  }
}

class DiskRegistry implements Registry {
  readonly #files: SchemaFiles;
  readonly #schemas: KnownSchemas;
  readonly #idByText = new Map<string, number>();
  readonly #listeners = new Set<(version: SubjectVersion) => unknown>();
  /** Registrations go one by one: each is checked against what those before it left. */
  #last: Promise<unknown> = Promise.resolve();
  #nextId: number;

  constructor(files: SchemaFiles, bounds: TimeBounds) {
    this.#files = files;
    this.#schemas = new KnownSchemas({ schemas: files.schemas(), versions: files.versions() }, bounds);
    this.#nextId = files.nextId();
    for (const { id, text } of this.#schemas.index.all()) this.#idByText.set(withoutSpaces(text), id);
  }

  resolve(bytes: Uint8Array, start: number, end: number): ResolvedFrame {
    return this.#schemas.index.resolve(bytes, start, end);
  }

  byId(id: number): RegisteredSchema | undefined {
    return this.#schemas.index.byId(id);
  }

  measurements(): readonly Measurement[] {
    return this.#schemas.measurements.all();
  }

  measurement(name: string): Measurement | undefined {
    return this.#schemas.measurements.get(name);
  }

  contents(): RegistryContents {
    return this.#schemas.contents();
  }

  subjects(): readonly string[] {
    const live = [...this.#schemas.subjects].filter(([, versions]) =>
      versions.some(({ deleted }) => !deleted),
    );
    return live.map(([subject]) => subject).sort();
  }

  versions(subject: string): readonly SubjectVersion[] {
    return this.#schemas.subjects.get(subject) ?? [];
  }

  async register(subject: string, text: string): Promise<{ id: number; version: number }> {
    const registration = this.#last.then(async () => this.#register(subject, text));
    this.#last = registration.catch(() => undefined);
    return registration;
  }

  onChange(listener: (version: SubjectVersion) => unknown): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  look(): void {
    this.#files.look();
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#files.close();
  }

  async #register(subject: string, text: string): Promise<{ id: number; version: number }> {
    const candidate = this.#schemas.compile(this.#nextId, text);
    const plain = withoutSpaces(text);
    const knownId = this.#idByText.get(plain);
    const versions = this.versions(subject);
    const same = versions.find((version) => version.id === knownId && !version.deleted);
    if (same !== undefined) return { id: same.id, version: same.version };
    if (knownId === undefined) this.#refuse(candidate);

    const id = knownId ?? candidate.id;
    const version = { subject, version: (versions.at(-1)?.version ?? 0) + 1, id, deleted: false };
    await this.#files.add(version, knownId === undefined ? text : null);
    if (knownId === undefined) {
      this.#nextId = id + 1;
      this.#schemas.index.add(candidate);
      this.#idByText.set(plain, id);
    }
    this.#schemas.remember(version);
    await Promise.allSettled([...this.#listeners].map(async (listener) => listener(version)));
    return { id, version: version.version };
  }

  /** Throws when a new schema may not join those that are there. */
  #refuse({ compiled }: RegisteredSchema): void {
    if (this.#schemas.index.size >= LIMITS.maxSchemas) {
      throw new MillraceError('registry_full', `the registry holds ${LIMITS.maxSchemas} schemas`);
    }
    if (compiled.objection !== null) throw compiled.objection;
    this.#schemas.measurements.check(compiled.mapping);
    const { fingerprint, shape } = compiled;
    const twin = this.#schemas.index.byFingerprint(fingerprint);
    if (twin !== undefined && twin.compiled.shape !== shape) {
      throw new MillraceError(
        'schema_conflict',
        `the schema has the fingerprint ${fingerprint} of schema ${twin.id} but maps to other points ` +
          '(measurement, roles or times differ): its frames could not be told apart',
      );
    }
    // Frames of the other schema may lie in the journal under it, and must stay what they are.
    const other = this.#schemas.index.byAlias(fingerprint);
    if (other !== undefined) {
      throw new MillraceError(
        'schema_conflict',
        `the schema has the fingerprint ${fingerprint}, under which frames of schema ${other.id} are taken already, ` +
          'as some libraries compute it so: change a name of the schema',
      );
    }
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
