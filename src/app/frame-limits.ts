import type { Settings } from '../config/index.ts';
import type { FrameLimits } from '../ingest/index.ts';

/** What one device may send, as the settings have it: the same in every process. */
export function frameLimits(settings: Settings): FrameLimits {
  return {
    maxFrameBytes: settings['max-frame-bytes'],
    maxUnacked: settings['max-unacked'],
    maxUnackedBytes: settings['max-unacked-bytes'],
  };
}
