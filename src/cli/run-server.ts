import { join } from 'node:path';
import type { Server } from '../app/index.ts';
import { PACKAGE_DIR, VERSION, misspeltVariables, type Settings } from '../config/index.ts';
import { messageOf } from '../core/index.ts';
import type { Logger } from '../telemetry/index.ts';

/** Signals by which an operator asks for one process more or less, as other servers have them. */
const RESIZING = [
  ['SIGTTIN', 1],
  ['SIGTTOU', -1],
] as const;

/**
 * Starts the server, says where it listens, and stops it on SIGTERM or SIGINT: the first drains, a second
 * one exits at once. SIGTTIN and SIGTTOU change the number of its processes. `beforeStop` runs first when it stops.
 */
export async function runServer(
  settings: Settings,
  logger: Logger,
  beforeStop: () => Promise<void> = () => Promise.resolve(),
): Promise<Server & { stopped: Promise<void> }> {
  for (const warning of misspeltVariables(process.env)) logger.warn(warning);
  // Only now: a command that runs no server needs none of the add-ons that a server loads.
  const { startServer } = await import('../app/index.ts');
  const server = await startServer({
    settings,
    logger,
    version: VERSION,
    pageDir: join(PACKAGE_DIR, 'dist', 'dashboard'),
  });
  let stopping = false;
  const stopped = new Promise<void>((resolve, reject) => {
    const onSignal = (signal: NodeJS.Signals): void => {
      if (stopping) process.exit(1);
      stopping = true;
      logger.info({ signal }, 'draining');
      beforeStop()
        .then(() => server.stop())
        .then(resolve, reject);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
  for (const [signal, by] of RESIZING) {
    process.on(signal, () => {
      server.resize(by).catch((error: unknown) => logger.error({ err: error, signal }, messageOf(error)));
    });
  }
  process.stdout.write(`millrace listening on ${server.url}\n`);
  return { ...server, stopped };
}
