import type { Settings } from '../config/index.ts';
import type { IngestHubOptions } from '../ingest/index.ts';

/** What one device connection may send, as the settings have it: the same in every process. */
export function sessionLimits(settings: Settings): IngestHubOptions['limits'] {
  return {
    maxFrameBytes: settings['max-frame-bytes'],
    maxUnacked: settings['max-unacked'],
    maxUnackedBytes: settings['max-unacked-bytes'],
  };
}
