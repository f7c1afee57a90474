import { z } from 'zod';
import { LIMITS, MillraceError, TIME_FORMS, didYouMean, type Measurement } from '../core/index.ts';
import type { Registry } from './registry.ts';

const name = z.string().min(1).max(LIMITS.maxParameterLength);
const tagValue = z.string().max(LIMITS.maxParameterLength);

/** Several values of one parameter. */
export const several = <T extends z.ZodType>(item: T): z.ZodArray<T> =>
  z.array(item).min(1).max(LIMITS.maxParameterValues);

/** The parameters that choose series, the same for every read of rows. */
export const selectionInput = {
  measurement: name.describe('The measurement to read; /v1/measurements lists them'),
  field: several(name).optional().describe('Only these fields'),
  device: several(name).optional().describe('Only these devices; an unknown one has no rows'),
  // A map, since a record in zod drops a member called __proto__, and its filter with it.
  tag: z
    .map(z.string(), several(tagValue))
    .transform((tags): Record<string, string[]> => Object.fromEntries(tags))
    .optional()
    .describe(
      'Only rows whose tag has one of the values; as tag.NAME=value or tag[NAME]=value in a query string',
    ),
};

/** A point in time, still as text: see parseTimeNs. */
export const timeInput = z.string().min(1).max(64);
export const timeForms = TIME_FORMS.replaceAll('"', '');

export interface Chosen {
  measurement: Measurement;
  devices: readonly string[];
  tags: Readonly<Record<string, readonly string[]>>;
}

type KnownMeasurements = Pick<Registry, 'measurement' | 'measurements'>;

/** Throws `measurement_unknown`, with the nearest name. */
export function findMeasurement(registry: KnownMeasurements, name: string): Measurement {
  const measurement = registry.measurement(name);
  if (measurement !== undefined) return measurement;
  const hint = didYouMean(
    name,
    registry.measurements().map((known) => known.name),
  );
  throw new MillraceError('measurement_unknown', `there is no measurement "${name.slice(0, 100)}"${hint}`);
}

/** The parameters of a selection, checked in form. */
export interface AskedSelection {
  measurement: string;
  device?: string[] | undefined;
  tag?: Record<string, string[]> | undefined;
}

/** Finds the measurement and its tags; `tag.device` means the same as `device`. Throws `measurement_unknown`, `parameter_unknown` for a tag, or `parameter_invalid`. */
export function choose(registry: KnownMeasurements, input: AskedSelection): Chosen {
  const measurement = findMeasurement(registry, input.measurement);
  const { device: devicesByTag = [], ...tags } = input.tag ?? {};
  if (devicesByTag.length > 0 && (input.device ?? []).length > 0) {
    throw new MillraceError('parameter_invalid', 'tag.device: give devices once, as device or as tag.device');
  }
  const known = measurement.tags.map((tag) => tag.name);
  for (const tag of Object.keys(tags)) {
    if (known.includes(tag)) continue;
    const tags = ['device', ...known];
    throw new MillraceError(
      'parameter_unknown',
      `tag.${tag.slice(0, 100)}: ${measurement.name} has no such tag; its tags: ${tags.join(', ')}${didYouMean(tag, tags)}`,
    );
  }
  return { measurement, devices: [...new Set([...(input.device ?? []), ...devicesByTag])], tags };
}
