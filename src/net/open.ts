import type { EdgeOptions, NetServer, OnDefect } from './edge.ts';

/** A server without routes, whose port is not open yet. What it stands on is loaded now and not before. */
export async function openNetServer(onDefect: OnDefect, options: EdgeOptions = {}): Promise<NetServer> {
  const { UwsServer } = await import('./uws/index.ts');
  return new UwsServer(onDefect, options);
}
