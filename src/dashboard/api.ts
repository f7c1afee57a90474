/** An answer that is none: the server is away, or says no. The message is for people. */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed';
}

const TIMEOUT_MS = 10_000;

/** Gets JSON from this server and narrows it. Throws RequestFailed. */
export async function getJson<T>(path: string, parse: (body: unknown) => T | null): Promise<T> {
  const parsed = parse(await fetchJson(path));
  if (parsed === null) throw new RequestFailed(`The server's answer to ${path} is not understood`);
  return parsed;
}

async function fetchJson(path: string): Promise<unknown> {
  let response: Response;
  try {
    const headers = { Accept: 'application/json' };
    response = await fetch(path, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new RequestFailed('The server does not answer');
  }
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) return body;
  throw new RequestFailed(detailOf(body) ?? `The server answers ${path} with HTTP ${response.status}`);
}

/** What a problem+json says. */
function detailOf(body: unknown): string | null {
  if (typeof body !== 'object' || body === null) return null;
  if ('detail' in body && typeof body.detail === 'string') return body.detail;
  return 'title' in body && typeof body.title === 'string' ? body.title : null;
}
