import { MillraceError, type ColumnDef, type Mapping, type Measurement } from '../core/index.ts';

interface Entry {
  doc: string | null;
  columns: Map<string, ColumnDef>;
  subjects: Set<string>;
}

/** What all registered schemas together say of each measurement; grows by one schema at a time. */
export class Measurements {
  readonly #entries = new Map<string, Entry>();

  /** Throws `schema_conflict` when a column's role or type differs from what the measurement has. */
  check(mapping: Mapping): void {
    const known = this.#entries.get(mapping.measurement);
    for (const column of mapping.columns) {
      const earlier = known?.columns.get(column.name);
      if (earlier === undefined || (earlier.role === column.role && earlier.type === column.type)) continue;
      throw new MillraceError(
        'schema_conflict',
        `in the measurement ${mapping.measurement}, ${column.name} is a ${earlier.type} ${earlier.role}; ` +
          `this schema makes it a ${column.type} ${column.role}`,
        { path: column.name },
      );
    }
  }

  add(mapping: Mapping, subject: string): void {
    let entry = this.#entries.get(mapping.measurement);
    if (entry === undefined) {
      entry = { doc: null, columns: new Map(), subjects: new Set() };
      this.#entries.set(mapping.measurement, entry);
    }
    entry.doc = mapping.doc ?? entry.doc;
    entry.subjects.add(subject);
    for (const column of mapping.columns) {
      const earlier = entry.columns.get(column.name);
      entry.columns.set(column.name, {
        ...column,
        // One double among them, and values no longer fit a float32.
        float32: column.float32 && (earlier?.float32 ?? true),
        unit: column.unit ?? earlier?.unit ?? null,
        doc: column.doc ?? earlier?.doc ?? null,
      });
    }
  }

  list(): Measurement[] {
    return [...this.#entries]
      .map(([name, { doc, columns, subjects }]) => ({
        name,
        doc,
        tags: [...columns.values()].filter((column) => column.role === 'tag'),
        fields: [...columns.values()].filter((column) => column.role === 'field'),
        subjects: [...subjects].toSorted(),
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }
}
