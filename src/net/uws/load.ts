/**
 * The one place that loads uWebSockets.js, a native add-on. Where there is no binary for this machine, it
 * says so in words instead of a stack trace.
 */
import type * as Uws from 'uWebSockets.js';
import { LIMITS } from '../../core/index.ts';

export type { HttpRequest, HttpResponse, TemplatedApp, WebSocket, us_listen_socket } from 'uWebSockets.js';

async function load(): Promise<typeof Uws> {
  // Read when the add-on is loaded; its default of 4 KB has no room for a query that goes on at a cursor.
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] ??= String(LIMITS.httpHeadBytes);
  try {
    return await import('uWebSockets.js');
  } catch (cause) {
    throw new Error(
      `uWebSockets.js has no binary for Node ${process.version} on ${process.platform}-${process.arch}. ` +
        'Use Node 20 or 22 on Linux (glibc), macOS or Windows, or install the upstream release that has one: ' +
        'npm install uWebSockets.js@github:uNetworking/uWebSockets.js#binaries',
      { cause },
    );
  }
}

export const uws = await load();
