/**
 * How frames come in, by any way: who brings them (identity), whether they may come (admission), which connection
 * a device has (its seat in the directory), and their way into the journal: with numbers by a session, without them
 * by the intake. A frame is checked, then journaled, then acknowledged when it is on disk; nothing is held here but a
 * bounded window per connection. A way in is what knows a transport.
 */
export type { DeviceJournal } from './device-journal.ts';
export { IngestAdmission, refuseUnlessAccepting } from './admission.ts';
export {
  DeviceDirectory,
  tooManyConnections,
  type Directory,
  type Holder,
  type Numbers,
} from './directory.ts';
export { DeviceLog } from './device-log.ts';
export { FrameCounts, sumFrames, type FrameStats } from './frame-counts.ts';
export type { Authorize, DeviceIdentity } from './identity.ts';
export { IngestHub, type FrameLimits, type OpenWayIn } from './hub.ts';
export { Intake, type IntakeResult } from './intake.ts';
export { Replayer, type ReplayAnswer, type ReplayRequest } from './replay.ts';
export type { WayIn } from './way-in.ts';
export { openWebSocket } from './websocket.ts';
export { FRAMES_OPERATION, FRAMES_PATH, openHttp } from './http/index.ts';
export { MqttBridge, type BridgeOptions, type BridgeStatus } from './mqtt/bridge.ts';
