/**
 * Whether a request names a host that this server goes by. A server on loopback without authentication trusts
 * whoever reaches it; a foreign page can reach it too by pointing its own name at 127.0.0.1 (DNS rebinding), and
 * then the Host header is that name. `origins` are those that the operator allowed, a proxy's among them.
 */
export function isLoopbackHost(host: string | undefined, origins: readonly string[]): boolean {
  if (host === undefined || host === '') return true;
  if (!URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  if (hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]') return true;
  if (/^127\.\d+\.\d+\.\d+$/.test(hostname)) return true;
  return origins.some((origin) => URL.canParse(origin) && new URL(origin).hostname === hostname);
}
