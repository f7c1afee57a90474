/** What HTTP and WebSockets are served with: uWebSockets.js, or Node's own http with ws. */
export const EDGE_KINDS = ['uws', 'node'] as const;

export type EdgeKind = (typeof EDGE_KINDS)[number];
