/**
 * Wires every part and starts and stops them in one visible order: disk, store, writer, connections, port;
 * and the other way round when it stops.
 */
export { startServer, type Server, type ServerOptions } from './server.ts';
export { runIngestProcess } from './ingest-process/program.ts';
export { WAYS_IN, type WaysIn } from './ways-in.ts';
export { lockDataFolder, type DataFolder } from './data-folder.ts';
