import { LIMITS, MAX_TIME_NS, formatTimeNs } from '../core/index.ts';
import type { UpgradeRequest } from '../net/index.ts';
import type { TailFilter } from './filter.ts';

/**
 * The query of a `gap` message: it reads all rows of [fromNs, toNs) that the filter wants. `baseUrl` is
 * `http://HOST`, or empty where the host is not known. A filter of too many values would make a URL that no server
 * takes: parts of it are left out then, and more rows are read.
 */
export function gapQuery(baseUrl: string, filter: TailFilter, fromNs: bigint, toNs: bigint): string {
  const range = { from: formatTimeNs(clamped(fromNs)), to: formatTimeNs(clamped(toNs)) };
  const { measurement } = filter;
  const devices = filter.devices.map((device) => ['device', device] as const);
  const tags = Object.entries(filter.tags).flatMap(([name, values]) =>
    values.map((value) => [`tag.${name}`, value] as const),
  );
  const fields = filter.fields.map((field) => ['field', field] as const);
  let path = '';
  // The wider ones come last: without them the answer is not of other rows, but of more.
  for (const chosen of [[...fields, ...devices, ...tags], [...fields, ...tags], fields, []]) {
    const query = new URLSearchParams([['measurement', measurement], ...chosen.map(([...pair]) => pair)]);
    for (const [name, time] of Object.entries(range)) query.append(name, time);
    path = `/v1/query?${query.toString()}`;
    if (path.length <= LIMITS.tailGapQueryChars) break;
  }
  return `${baseUrl}${path}`;
}

const clamped = (ns: bigint): bigint => (ns < 0n ? 0n : ns > MAX_TIME_NS ? MAX_TIME_NS : ns);

/** A host as a URL has it, with or without a port. */
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
const MAX_HOST_CHARS = 255;

/**
 * Under which address the client sees this server: `http://HOST` or `https://HOST`, as the request's Host, what a
 * proxy before it says and a page's Origin tell; empty without a Host.
 */
export function baseUrlOf(request: Pick<UpgradeRequest, 'header'>): string {
  const host = request.header('host') ?? '';
  if (host.length > MAX_HOST_CHARS || !HOST.test(host)) return '';
  const secure =
    request.header('x-forwarded-proto')?.split(',')[0]?.trim() === 'https' ||
    request.header('origin')?.toLowerCase() === `https://${host.toLowerCase()}`;
  return `${secure ? 'https' : 'http'}://${host}`;
}
