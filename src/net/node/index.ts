/**
 * The edge on node:http and ws, for machines where uWebSockets.js has no binary, and for whoever prefers it. It means
 * the same as the other one, and serves besides what that one cannot: HTTP/1.0, a request line in pieces, and a refusal
 * of frames that are not masked.
 */
export { NodeServer } from './server.ts';
