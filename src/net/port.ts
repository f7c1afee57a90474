import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { MillraceError } from '../core/index.ts';

/** A listener on this machine answers at once; longer than this nobody does. */
const PROBE_TIMEOUT_MS = 500;

/**
 * Throws `port_in_use` when something answers on the port. uWebSockets.js has to listen with SO_REUSEPORT,
 * because its exclusive mode refuses a port on which connections of a killed server are left in TIME_WAIT;
 * but that shares the port in silence with another server of its kind, so we ask first.
 */
export async function assertPortFree(host: string, port: number): Promise<void> {
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

/** A port on which nothing listens now: 0 itself could be shared by no second process. */
export async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
