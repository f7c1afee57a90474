import type { Settings } from '../config/index.ts';
import type { RegistryOptions } from '../registry/index.ts';

/** What times a reading may have, as the settings say: the same in every process. */
export function timeBounds(
  settings: Settings,
): Pick<Required<RegistryOptions>, 'minTimeMs' | 'maxTimeAheadMs'> {
  return { minTimeMs: settings['min-time'], maxTimeAheadMs: settings['max-time-ahead'] };
}
