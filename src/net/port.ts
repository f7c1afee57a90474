import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { messageOf, MillraceError, systemCodeOf } from '../core/index.ts';

/** A listener on this machine answers at once; longer than this nobody does. */
const PROBE_TIMEOUT_MS = 500;

/**
 * Throws `port_in_use` when something answers on the port, and `listen_failed` when no port of the address can be opened.
 * uWebSockets.js has to listen with SO_REUSEPORT,
 * because its exclusive mode refuses a port on which connections of a killed server are left in TIME_WAIT;
 * but that shares the port in silence with another server of its kind, so we ask first.
 */
export async function assertPortFree(host: string, port: number): Promise<void> {
  // Of an address that is another machine's, that one would answer.
  await freePort(host);
  if (port === 0) return;
  const any = host === '0.0.0.0' || host === '::';
  const answers = await new Promise<boolean>((resolve) => {
    const probe = connect({ port, host: any ? 'localhost' : host, timeout: PROBE_TIMEOUT_MS });
    const end = (answered: boolean): void => {
      probe.destroy();
      resolve(answered);
    };
    probe.once('connect', () => end(true));
    probe.once('error', () => end(false));
    probe.once('timeout', () => end(false));
  });
  if (answers) {
    throw new MillraceError('port_in_use', `cannot listen on ${host}:${port}: another program listens there`);
  }
}

/** A port on which nothing listens now: 0 itself could be shared by no second process. Throws as `tryPort`. */
export function freePort(host: string): Promise<number> {
  return tryPort(host, 0);
}

/**
 * Opens and closes a port, 0 for any, and resolves with its number. Throws what the system has against it:
 * `port_in_use`, or `listen_failed` with the system's own code.
 */
export async function tryPort(host: string, port: number): Promise<number> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    throw listenError(host, port, error);
  }
  const address = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return address.port;
}

/** Why a port cannot be listened on, in the system's words. */
export function listenError(host: string, port: number, cause: unknown): MillraceError {
  const code = systemCodeOf(cause) === 'EADDRINUSE' ? 'port_in_use' : 'listen_failed';
  return new MillraceError(code, `cannot listen on ${host}:${port}: ${messageOf(cause)}`, { cause });
}
