/** The ingest processes of server.mjs. */
import { pathToFileURL } from 'node:url';
import { POSTED } from '../way.mjs';

const app = new URL('app/index.js', pathToFileURL(`${process.env.FAULT_PROGRAM}/`));
const { runIngestProcess } = await import(app.href);
runIngestProcess(POSTED);
