import { fileURLToPath } from 'node:url';
import { TRANSPORTS, type Transport } from '../core/index.ts';
import { openHttp, openWebSocket, type IngestHub, type OpenWayIn } from '../ingest/index.ts';
import type { Edge } from '../net/index.ts';

/** How each transport's way in is opened, in every process that takes frames; null for one that is not built yet. */
export type WaysInTable = Record<Transport, OpenWayIn | null>;

export const WAYS_IN: WaysInTable = {
  ws: openWebSocket,
  http: openHttp,
  mqtt: null,
};

/** The ways in of a server. */
export interface WaysIn {
  table: WaysInTable;
  /** The program of its ingest processes: it runs `runIngestProcess` with the same table. */
  ingestProgram: string;
}

/** Those of the product. */
export const OPENED: WaysIn = {
  table: WAYS_IN,
  ingestProgram: fileURLToPath(new URL('ingest-process/main.js', import.meta.url)),
};

/** Opens all of a table. */
export function openWaysIn(table: WaysInTable, hub: IngestHub, edge: Edge): void {
  for (const transport of TRANSPORTS) {
    const way = table[transport];
    if (way !== null) hub.open(way, edge);
  }
}
