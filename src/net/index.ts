/**
 * The network edge: one uWebSockets.js server behind types that are safe to hold. A socket or response may
 * be used after its close (nothing happens), requests are copied out before the first await, and every
 * error leaves as problem+json with a stable code. Parts add their routes; `app` opens the port.
 */
export { NetServer, type UpgradeRequest, type UpgradeAccepted, type WebSocketRoute } from './server.ts';
export type { HttpAnswer, HttpExchange } from './http.ts';
export type { Socket, SocketHandler, SendOutcome } from './socket.ts';
export { bindParameters, readBody, readMembers, readQuery, type RawParameters } from './parameters.ts';
export { inputJsonSchema, type JsonSchema } from './json-schema.ts';
export { asMillraceError, problem } from './problem.ts';
export { requireLoopbackHost } from './host.ts';
export { isOriginAllowed } from './origin.ts';
export { freePort } from './port.ts';
