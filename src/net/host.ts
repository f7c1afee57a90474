import { MillraceError } from '../core/index.ts';

/** Throws `origin_forbidden` for a request that isLoopbackHost refuses. */
export function requireLoopbackHost(host: string | undefined, origins: readonly string[]): void {
  if (isLoopbackHost(host, origins)) return;
  throw new MillraceError(
    'origin_forbidden',
    `the server listens on loopback and takes loopback names as Host, got "${(host ?? '').slice(0, 100)}": ` +
      'let the proxy send Host 127.0.0.1, or name the address that it goes by in MILLRACE_ORIGINS',
  );
}

/**
 * Whether a request names a host that this server goes by. A server on loopback without authentication trusts
 * whoever reaches it; a foreign page can reach it too by pointing its own name at 127.0.0.1 (DNS rebinding), and
 * then the Host header is that name. `origins` are those that the operator allowed, a proxy's among them.
 */
function isLoopbackHost(host: string | undefined, origins: readonly string[]): boolean {
  if (host === undefined || host === '') return true;
  if (!URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  if (hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]') return true;
  if (/^127\.\d+\.\d+\.\d+$/.test(hostname)) return true;
  return origins.some((origin) => URL.canParse(origin) && new URL(origin).hostname === hostname);
}
