import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runFleet } from '../../devices/index.ts';
import { PACKAGE_DIR } from '../config/index.ts';
import { createLogger } from '../telemetry/index.ts';
import { addSettingFlags, settingsOf } from './settings.ts';
import { runServer } from './run-server.ts';

/** What streams in a demo: few devices, many enough to look alive. */
const FLEETS = [
  { model: 'environment', count: 12, rate: 1, readings: 2 },
  { model: 'vehicle', count: 6, rate: 1, readings: 1 },
  { model: 'power', count: 4, rate: 1, readings: 1 },
];

/** `millrace demo`: the server and a small simulated fleet in one process. */
export function demoCommand(): Command {
  const command = new Command('demo').description(
    'run the gateway with a small simulated fleet streaming into it',
  );
  return addSettingFlags(command).action(async () => {
    const given = settingsOf(command);
    // The simulated devices speak the packaged schemas, from whatever folder the demo is started.
    const settings = existsSync(given.schemas) ? given : { ...given, schemas: join(PACKAGE_DIR, 'schemas') };
    const logger = createLogger(settings['log-level']);
    const stop = new AbortController();
    let fleets: Promise<unknown> = Promise.resolve();
    const server = await runServer(settings, logger, async () => {
      stop.abort();
      await fleets;
    });
    const url = server.url.replace(/^http/, 'ws');
    fleets = Promise.all(
      FLEETS.map((fleet) =>
        runFleet({ ...fleet, url, durationMs: Number.POSITIVE_INFINITY, seed: 1, signal: stop.signal }),
      ),
    );
    process.stdout.write(`the page is at ${server.url}/ — Ctrl-C stops\n`);
    await Promise.race([server.stopped, fleets.then(() => server.stopped)]);
    process.exit(0);
  });
}
