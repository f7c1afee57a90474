/**
 * Devices' connections: identity, numbering, limits, acks. A frame is checked, then journaled, then
 * acknowledged when it is on disk; nothing is held here but a bounded window per connection.
 */
export { IngestHub, type IngestOptions } from './hub.ts';
export { Intake, type IntakeOptions, type IntakeResult } from './intake.ts';
export { Replayer, type ReplayAnswer, type ReplayRequest } from './replay.ts';
