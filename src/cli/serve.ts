import { Command } from 'commander';
import { createLogger } from '../telemetry/index.ts';
import { addSettingFlags, settingsOf } from './settings.ts';
import { runServer } from './run-server.ts';

/** `millrace serve`: the server alone, until a signal stops it. */
export function serveCommand(): Command {
  const command = new Command('serve').description('run the gateway');
  return addSettingFlags(command).action(async () => {
    const settings = settingsOf(command);
    const server = await runServer(settings, createLogger(settings['log-level']));
    await server.stopped;
    // A part that hangs must not keep a stopped server alive.
    process.exit(0);
  });
}
