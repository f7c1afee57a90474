/**
 * Whether a request from a web page may go on: pages of our own host, and of the origins that the operator
 * named. Programs send no Origin header and are not concerned.
 */
export function isOriginAllowed(
  header: (name: string) => string | undefined,
  allowed: readonly string[],
): boolean {
  const origin = header('origin');
  if (origin === undefined || origin === '') return true;
  if (allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === header('host');
}
