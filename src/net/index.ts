/**
 * The network edge: HTTP and WebSockets behind types that are safe to hold. A socket or response may be used after
 * its close (nothing happens), requests stay as they came, and every error leaves as problem+json with a stable code.
 * Parts add their routes; `app` opens the port. What serves them is loaded by `openNetServer` and by nothing else.
 */
export type {
  Edge,
  EdgeOptions,
  HeldByEdge,
  HttpAnswer,
  HttpExchange,
  NetServer,
  SendOutcome,
  Socket,
  SocketHandler,
  UpgradeAccepted,
  UpgradeRequest,
  WantedEdge,
  WebSocketRoute,
} from './edge.ts';
export { HeldBytes, type ByteHolder } from './held-bytes.ts';
export { chooseEdge, openNetServer } from './open.ts';
export { sharesPorts } from './shares-ports.ts';
export { bindParameters, readBody, readMembers, readQuery, type RawParameters } from './parameters.ts';
export { inputJsonSchema, type JsonSchema } from './json-schema.ts';
export { asMillraceError, problem } from './problem.ts';
export { isPreflight, preflight, withCors } from './cors.ts';
export { requireLoopbackHost } from './host.ts';
export { isOriginAllowed } from './origin.ts';
export { freePort } from './port.ts';
