/** The one place that loads uWebSockets.js, a native add-on. Where that fails, it says why in words. */
import type * as Uws from 'uWebSockets.js';
import { LIMITS, messageOf, MillraceError } from '../../core/index.ts';

export type { HttpRequest, HttpResponse, TemplatedApp, WebSocket, us_listen_socket } from 'uWebSockets.js';

async function load(): Promise<typeof Uws> {
  // Read when the add-on is loaded; its default of 4 KB has no room for a query that goes on at a cursor.
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] ??= String(LIMITS.httpHeadBytes);
  try {
    return await import('uWebSockets.js');
  } catch (cause) {
    const machine = `Node ${process.version} on ${process.platform}-${process.arch}`;
    throw new MillraceError(
      'edge_unavailable',
      `uWebSockets.js does not load in ${machine}: ${wordsOf(cause)}`,
      {
        cause,
      },
    );
  }
}

export const uws = await load();

/** What the system said. The package puts a paragraph of its own before it, of the machines that it was made for. */
function wordsOf(cause: unknown): string {
  const [words = ''] = messageOf(cause).split('\n\n').at(-1)?.split('\n') ?? [];
  return words.replace(/^Error: /, '');
}
