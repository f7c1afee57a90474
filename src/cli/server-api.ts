import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { messageOf, printable } from '../core/index.ts';

export const DEFAULT_URL = process.env['MILLRACE_URL'] ?? 'http://127.0.0.1:8080';

const problemBody = z.object({ code: z.string(), detail: z.string(), title: z.string() });

/** The rows of /v1/query and /v1/latest. */
export const rowsAnswer = z.object({
  measurement: z.string(),
  columns: z.array(z.string()),
  rows: z.array(z.array(z.unknown())),
  cursor: z.string().nullish(),
});

/**
 * GETs from a running server; repeated parameters are given as pairs. Throws an Error in plain words when
 * the server is not there, or with its own code and detail when it refuses.
 */
export async function get(url: string, path: string, params: readonly [string, string][]): Promise<string> {
  return (await getBytes(url, path, params)).toString();
}

/** GETs a body of any form, with the same errors. */
export function getBytes(url: string, path: string, params: readonly [string, string][]): Promise<Buffer> {
  return send(url, path, params, {});
}

/** POSTs a JSON body, with the same errors. */
export async function postJson(url: string, path: string, body: object): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  return (await send(url, path, [], { method: 'POST', headers, body: JSON.stringify(body) })).toString();
}

async function send(
  url: string,
  path: string,
  params: readonly [string, string][],
  request: RequestInit,
): Promise<Buffer> {
  if (!URL.canParse(path, url))
    throw new InvalidArgumentError(`--url: expected http://HOST:PORT, got "${url}"`);
  const target = new URL(path, url);
  for (const [name, value] of params) target.searchParams.append(name, value);
  let response: Response;
  try {
    response = await fetch(target, request);
  } catch (error) {
    const cause =
      error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
    throw new Error(`no server answers on ${target.origin}: ${cause}`, { cause: error });
  }
  const body = Buffer.from(await response.arrayBuffer());
  if (response.ok) return body;
  throw new Error(refusal(response.status, body.toString()));
}

function refusal(status: number, body: string): string {
  try {
    const parsed = problemBody.safeParse(JSON.parse(body));
    if (parsed.success)
      return `${printable(parsed.data.detail)} (${parsed.data.code})\n  ${parsed.data.title}`;
  } catch {
    // not JSON: a proxy's page, perhaps
  }
  return `the server answered ${status}`;
}

/** For options that may be repeated. */
export function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}

/** Splits repeated `name=value` options into tag parameters. */
export function tagParams(tags: readonly string[]): [string, string][] {
  return tags.map((tag) => {
    const at = tag.indexOf('=');
    if (at < 1) throw new InvalidArgumentError(`--tag: expected NAME=VALUE, got "${tag}"`);
    return [`tag.${tag.slice(0, at)}`, tag.slice(at + 1)];
  });
}

/** A server's address for WebSockets, from the same with http or ws. Throws for another one (exit 2). */
export function socketUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^(http|ws)s?:$/.test(url.protocol) || url.host === '') {
    throw new InvalidArgumentError(
      `--url: expected ws://HOST:PORT or http://HOST:PORT, got "${printable(text)}"`,
    );
  }
  url.protocol = url.protocol.replace('http', 'ws');
  url.hash = '';
  return url.href;
}
