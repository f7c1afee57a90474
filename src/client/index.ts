/**
 * The client library, for browsers and Node: `IngestClient` streams a device's frames to a gateway and
 * `TailClient` follows stored and live rows, each across reconnects without losing or repeating anything.
 * The WebSocket constructor, clock and random source are given from outside. It imports nothing from the
 * rest of the project: docs/protocol.md is all that it shares with the server.
 */
export { IngestClient } from './ingest.ts';
export type { IngestOptions } from './ingest.ts';
export { newOutbox, Outbox, ProtocolViolation } from './outbox.ts';
export type { KeptFrame, NumbersFault, OutboxLimits, SavedOutbox } from './outbox.ts';
export { TailClient } from './tail.ts';
export type { TailHandlers, TailOptions, TailSubscription } from './tail.ts';
export { reconnectDelayMs, verdictOfStatus } from './reconnect.ts';
export type { LinkState, Stop, Surroundings } from './link.ts';
export type { SocketEnd, WebSocketConstructor, WebSocketLike } from './socket.ts';
export type { Timers } from './timers.ts';
export type * from './protocol.ts';
