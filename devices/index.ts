/**
 * Simulated devices: models that make believable data from a seed, and the fleet runner that streams it to
 * a gateway through the client library. Every reading of a device has a time of its own, so the number of
 * rows that a query counts is the number of readings that were acknowledged. In its first five minutes a
 * device has no gap, no missing value and no fault.
 */
import { environment } from './environment.ts';
import { runFleet as run } from './fleet/index.ts';
import type { FleetRun, FleetSummary } from './fleet/index.ts';
import type { DeviceModel } from './model.ts';
import { power } from './power.ts';
import { vehicle } from './vehicle.ts';

export { FLEET_TRANSPORTS } from './fleet/index.ts';
export type { FleetProgress, FleetSummary, FleetTransport } from './fleet/index.ts';
export type { DeviceModel, DeviceSource, FrameRecord, FrameSpan } from './model.ts';

export const MODELS: Readonly<Record<string, DeviceModel>> = { environment, vehicle, power };

/** A run with the model by its name. */
export type FleetOptions = Omit<FleetRun, 'model'> & { model: string };

/**
 * Streams a fleet's frames to a gateway; see FleetRun for the options. Resolves with the summary. Throws a
 * RangeError for an unknown model or numbers that cannot be.
 */
export async function runFleet(options: FleetOptions): Promise<FleetSummary> {
  const model = Object.hasOwn(MODELS, options.model) ? MODELS[options.model] : undefined;
  if (model === undefined) {
    throw new RangeError(`model: expected one of ${Object.keys(MODELS).join(', ')}, got "${options.model}"`);
  }
  return run({ ...options, model });
}
