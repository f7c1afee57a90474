import { LIMITS, MillraceError, type ColumnDef, type Mapping, type Measurement } from '../core/index.ts';

/**
 * What the schemas of each measurement say together. Columns keep the order in which they came; unit and
 * doc are the newest that were given; `float32` holds only while every schema says float.
 */
export class MergedMeasurements {
  /** By the name in lower case: DuckDB does not tell upper from lower. */
  readonly #byName = new Map<string, MergedMeasurement>();
  #sorted: Measurement[] | null = null;
  /** The sorted ones by their exact name. */
  #byExactName = new Map<string, Measurement>();

  /** Throws `schema_conflict` when a schema cannot join its measurement. Changes nothing. */
  check({ measurement, columns }: Mapping): void {
    const merged = this.#byName.get(measurement.toLowerCase());
    if (merged === undefined) return;
    if (merged.name !== measurement) {
      throw conflict(
        '',
        `the measurement "${measurement}" differs from "${merged.name}" only in upper and lower case`,
      );
    }
    let added = 0;
    for (const def of columns) {
      const other = merged.columns.get(def.name.toLowerCase());
      if (other === undefined) {
        added++;
      } else if (other.name !== def.name) {
        throw conflict(
          def.name,
          `differs from "${other.name}" of ${measurement} only in upper and lower case`,
        );
      } else if (other.role !== def.role) {
        throw conflict(
          def.name,
          `is a ${def.role} here and a ${other.role} in the measurement ${measurement}`,
        );
      } else if (other.type !== def.type) {
        throw conflict(
          def.name,
          `is of type ${def.type} here and ${other.type} in the measurement ${measurement}`,
        );
      }
    }
    if (merged.columns.size + added > LIMITS.maxSchemaFields) {
      throw conflict(
        '',
        `the measurement ${measurement} would have more than ${LIMITS.maxSchemaFields} columns`,
      );
    }
  }

  /** Adds a schema that `check` took, under one more subject. */
  add({ measurement, doc, columns }: Mapping, subject: string): void {
    const key = measurement.toLowerCase();
    let merged = this.#byName.get(key);
    if (merged === undefined) {
      merged = { name: measurement, doc: null, columns: new Map(), subjects: new Set() };
      this.#byName.set(key, merged);
    }
    merged.doc = doc ?? merged.doc;
    merged.subjects.add(subject);
    for (const def of columns) {
      const name = def.name.toLowerCase();
      const other = merged.columns.get(name);
      merged.columns.set(
        name,
        other === undefined
          ? def
          : {
              ...def,
              float32: def.float32 && other.float32,
              unit: def.unit ?? other.unit,
              doc: def.doc ?? other.doc,
            },
      );
    }
    this.#sorted = null;
  }

  all(): readonly Measurement[] {
    if (this.#sorted === null) {
      this.#sorted = [...this.#byName.values()].map(frozen).sort((a, b) => (a.name < b.name ? -1 : 1));
      this.#byExactName = new Map(this.#sorted.map((measurement) => [measurement.name, measurement]));
    }
    return this.#sorted;
  }

  get(name: string): Measurement | undefined {
    this.all();
    return this.#byExactName.get(name);
  }
}

interface MergedMeasurement {
  name: string;
  doc: string | null;
  columns: Map<string, ColumnDef>;
  subjects: Set<string>;
}

function frozen({ name, doc, columns, subjects }: MergedMeasurement): Measurement {
  const defs = [...columns.values()];
  return {
    name,
    doc,
    tags: defs.filter(({ role }) => role === 'tag'),
    fields: defs.filter(({ role }) => role === 'field'),
    subjects: [...subjects].sort(),
  };
}

function conflict(path: string, reason: string): MillraceError {
  return new MillraceError('schema_conflict', path === '' ? reason : `${path}: ${reason}`, { path });
}
