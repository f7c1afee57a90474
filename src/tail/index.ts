/**
 * The live tail: rows as they are committed to the journal, joined to the stored ones without hole or double,
 * from a time or a cursor. A slow reader holds a place in the journal instead of a buffer, so that it slows
 * neither ingest nor other readers, and it loses nothing without being told (`gap`).
 *
 * The hub, its subscriptions and their messages know no transport; `websocket.ts` is the first edge on them.
 */
export { goawayMessage } from './messages.ts';
export { TAIL_ROUTE } from './websocket.ts';
export { createTail, type Tail, type TailParts, type TailStats } from './tail.ts';
