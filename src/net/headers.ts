/** Headers of which a message has one at most, among those that anybody here reads (RFC 9110, 5.3). */
const SINGLE: ReadonlySet<string> = new Set([
  'authorization',
  'content-length',
  'content-type',
  'host',
  'origin',
  'sec-websocket-key',
  'sec-websocket-version',
  'x-device',
]);

export interface ReadHeaders {
  /** By lower-case name. Those that came several times are one list (RFC 9110, 5.2). */
  headers: Map<string, string>;
  /** A header that came twice although there can be one at most: which of the two is meant, nobody can tell. */
  repeated: string | null;
}

/** Headers as they came, by lower-case name. */
export function readHeaders(pairs: Iterable<readonly [string, string]>): ReadHeaders {
  const headers = new Map<string, string>();
  let repeated: string | null = null;
  for (const [name, value] of pairs) {
    const known = headers.get(name);
    if (known !== undefined && SINGLE.has(name)) repeated ??= name;
    headers.set(name, known === undefined ? value : `${known}, ${value}`);
  }
  return { headers, repeated };
}
