/** `millrace serve` with the way in of way.mjs beside the product's own. */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { POSTED } from './way.mjs';

const program = pathToFileURL(`${process.env.FAULT_PROGRAM}/`);
const { startServer } = await import(new URL('app/index.js', program).href);
const { loadConfig } = await import(new URL('config/index.js', program).href);
const { createLogger } = await import(new URL('telemetry/index.js', program).href);

const settings = loadConfig({ flags: {}, env: process.env });
const server = await startServer({
  settings,
  logger: createLogger(settings['log-level']),
  version: 'test',
  pageDir: fileURLToPath(new URL('../dashboard', program)),
  waysIn: {
    table: POSTED,
    ingestProgram: fileURLToPath(new URL('ingest-process/main.mjs', import.meta.url)),
  },
});
process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)));
process.stdout.write(`millrace listening on ${server.url}\n`);
