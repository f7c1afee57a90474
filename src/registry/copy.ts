import type { TimeBounds } from '../codec/index.ts';
import type { Measurement } from '../core/index.ts';
import { KnownSchemas } from './known-schemas.ts';
import type {
  RegisteredSchema,
  Registry,
  RegistryContents,
  ResolvedFrame,
  SubjectVersion,
} from './registry.ts';

/** What resolving frames and naming columns needs of a registry. */
export type SchemaLookup = Pick<Registry, 'resolve' | 'byId' | 'measurement'>;

/** Another process's registry, in memory: what was registered there is told with `add`, in the same order. */
export class RegistryCopy implements SchemaLookup {
  readonly #schemas: KnownSchemas;

  /** The bounds matter to those only who check frames. */
  constructor(contents: RegistryContents, bounds: TimeBounds = {}) {
    this.#schemas = new KnownSchemas(contents, bounds);
  }

  resolve(bytes: Uint8Array, start: number, end: number): ResolvedFrame {
    return this.#schemas.index.resolve(bytes, start, end);
  }

  byId(id: number): RegisteredSchema | undefined {
    return this.#schemas.index.byId(id);
  }

  measurement(name: string): Measurement | undefined {
    return this.#schemas.measurements.get(name);
  }

  add(version: SubjectVersion, text: string): void {
    const { index } = this.#schemas;
    if (index.byId(version.id) === undefined) index.add(this.#schemas.compile(version.id, text));
    this.#schemas.remember(version);
  }
}
