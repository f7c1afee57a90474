import { messageOf, type EdgeKind } from '../core/index.ts';
import type { EdgeOptions, NetServer, OnDefect, WantedEdge } from './edge.ts';

/** What each edge stands on is loaded when a server is to use it, and not before. */
const EDGES: Record<EdgeKind, (onDefect: OnDefect, options: EdgeOptions) => Promise<NetServer>> = {
  uws: async (onDefect, options) => {
    const { UwsServer } = await import('./uws/index.ts');
    return new UwsServer(onDefect, options);
  },
  node: async (onDefect, options) => {
    const { NodeServer } = await import('./node/index.ts');
    return new NodeServer(onDefect, options);
  },
};

/**
 * The edge that serves here, and why it is not the first one that `auto` tries. Rejects with `edge_unavailable` where
 * the one that is wanted does not load.
 */
export async function chooseEdge(wanted: WantedEdge): Promise<{ kind: EdgeKind; insteadOf: string | null }> {
  if (wanted === 'node') return { kind: 'node', insteadOf: null };
  try {
    await import('./uws/index.ts');
    return { kind: 'uws', insteadOf: null };
  } catch (error) {
    if (wanted === 'uws') throw error;
    return { kind: 'node', insteadOf: messageOf(error) };
  }
}

/** A server without routes, whose port is not open yet. Rejects as `chooseEdge` does. */
export async function openNetServer(onDefect: OnDefect, options: EdgeOptions = {}): Promise<NetServer> {
  const { kind } = await chooseEdge(options.edge ?? 'auto');
  return EDGES[kind](onDefect, options);
}
