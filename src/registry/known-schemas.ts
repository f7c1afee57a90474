import { compileSchema, type TimeBounds } from '../codec/index.ts';
import { MillraceError } from '../core/index.ts';
import { MergedMeasurements } from './measurement-merge.ts';
import type { RegisteredSchema, RegistryContents, SubjectVersion } from './registry.ts';
import { SchemaIndex } from './schema-index.ts';

/** Schemas, compiled, with their subjects and what they say together of each measurement. */
export class KnownSchemas {
  readonly index = new SchemaIndex();
  readonly measurements = new MergedMeasurements();
  /** Versions by subject, oldest first. */
  readonly subjects = new Map<string, SubjectVersion[]>();
  readonly #bounds: TimeBounds;

  /** Throws `internal` where a version names a schema that is not among them. */
  constructor(
    {
      schemas,
      versions,
    }: { schemas: Iterable<{ id: number; text: string }>; versions: Iterable<SubjectVersion> },
    bounds: TimeBounds,
  ) {
    this.#bounds = bounds;
    for (const { id, text } of schemas) this.index.add(this.compile(id, text));
    // In order of id, as they were registered: the order of a measurement's columns comes from it.
    for (const version of [...versions].sort((a, b) => a.id - b.id)) this.remember(version);
    for (const ofSubject of this.subjects.values()) ofSubject.sort((a, b) => a.version - b.version);
  }

  compile(id: number, text: string): RegisteredSchema {
    return { id, text, compiled: compileSchema(text, this.#bounds) };
  }

  /** Takes a version of a schema that is in the index. */
  remember(version: SubjectVersion): void {
    const schema = this.index.byId(version.id);
    if (schema === undefined) {
      throw new MillraceError('internal', `${version.subject} names the schema ${version.id}, which is lost`);
    }
    const versions = this.subjects.get(version.subject) ?? [];
    versions.push(version);
    this.subjects.set(version.subject, versions);
    this.measurements.add(schema.compiled.mapping, version.subject);
  }

  contents(): RegistryContents {
    return {
      schemas: [...this.index.all()].map(({ id, text }) => ({ id, text })),
      versions: [...this.subjects.values()].flat(),
    };
  }
}
