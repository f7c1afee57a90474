import { selectColumns, type SelectedColumns } from '../core/index.ts';
import { findMeasurement, type Registry } from '../registry/index.ts';

/** The columns that subscriptions have, as the registry knows them now. Who wants all fields shares them. */
export class ColumnChoices {
  readonly #registry: Pick<Registry, 'measurement' | 'measurements'>;
  /** By measurement, the choice of all fields. */
  readonly #all = new Map<string, SelectedColumns>();
  #version = 0;

  constructor(registry: Pick<Registry, 'measurement' | 'measurements'>) {
    this.#registry = registry;
  }

  /** Another one after each registration: who has columns of an earlier one asks for them again when it needs them. */
  get version(): number {
    return this.#version;
  }

  /** The registry has changed. */
  change(): void {
    this.#version += 1;
    this.#all.clear();
  }

  /** Throws `measurement_unknown` or `field_unknown`. */
  of(measurement: string, fields: readonly string[]): SelectedColumns {
    const known = fields.length === 0 ? this.#all.get(measurement) : undefined;
    if (known !== undefined) return known;
    const selected = selectColumns(findMeasurement(this.#registry, measurement), fields);
    if (fields.length === 0) this.#all.set(measurement, selected);
    return selected;
  }
}
