import { z } from 'zod';
import { LIMITS, MillraceError, type Measurement } from '../core/index.ts';
import type { Registry } from '../registry/index.ts';

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
  tag: z
    .record(z.string(), several(tagValue))
    .optional()
    .describe('Only rows whose tag has one of the values; as tag.NAME=value in a query string'),
};

export const formatInput = z
  .string()
  .optional()
  .meta({
    enum: ['json', 'csv'],
    description: 'The form of the answer; without it the Accept header decides',
  });

export interface Chosen {
  measurement: Measurement;
  devices: readonly string[];
  tags: Readonly<Record<string, readonly string[]>>;
}

/** Finds the measurement and its tags. Throws `measurement_unknown` or `parameter_unknown` for a tag. */
export function choose(
  registry: Pick<Registry, 'measurement'>,
  input: {
    measurement: string;
    device?: string[] | undefined;
    tag?: Record<string, string[]> | undefined;
  },
): Chosen {
  const measurement = registry.measurement(input.measurement);
  if (measurement === undefined) {
    throw new MillraceError(
      'measurement_unknown',
      `there is no measurement "${input.measurement.slice(0, 100)}"`,
    );
  }
  const { device: devicesByTag = [], ...tags } = input.tag ?? {};
  const known = measurement.tags.map((tag) => tag.name);
  for (const tag of Object.keys(tags)) {
    if (known.includes(tag)) continue;
    throw new MillraceError(
      'parameter_unknown',
      `tag.${tag.slice(0, 100)}: ${measurement.name} has no such tag; its tags: device, ${known.join(', ')}`,
    );
  }
  if (devicesByTag.length > 0 && (input.device ?? []).length > 0) {
    throw new MillraceError('parameter_invalid', 'tag.device: give devices once, as device or as tag.device');
  }
  return { measurement, devices: [...new Set([...(input.device ?? []), ...devicesByTag])], tags };
}
