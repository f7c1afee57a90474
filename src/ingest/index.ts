/**
 * Devices' connections: identity, numbering, limits, acks. A frame is checked, then journaled, then
 * acknowledged when it is on disk; nothing is held here but a bounded window per connection.
 */
export type { DeviceJournal } from './device-journal.ts';
export { refuseUnlessAccepting } from './admission.ts';
export {
  DeviceDirectory,
  tooManyConnections,
  type Directory,
  type Holder,
  type Numbers,
} from './directory.ts';
export { DeviceLog } from './device-log.ts';
export { FrameCounts, sumFrames, type FrameStats } from './frame-counts.ts';
export { IngestHub, type IngestHubOptions } from './hub.ts';
export { Intake, type IntakeOptions, type IntakeResult } from './intake.ts';
export { Replayer, type ReplayAnswer, type ReplayRequest } from './replay.ts';
