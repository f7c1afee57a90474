import type { Settings } from '../config/index.ts';
import { LIMITS, MillraceError } from '../core/index.ts';
import type { FileRoom } from '../files/index.ts';
import type { DeviceLog } from '../ingest/index.ts';
import { chooseEdge, sharesPorts, type EdgeOptions } from '../net/index.ts';
import type { Logger } from '../telemetry/index.ts';

/**
 * The settings with the edge that serves them, so that each process has the same one. Rejects with `edge_unavailable`,
 * and with `config_invalid` for several processes that could not listen on one port.
 */
export async function withEdge(settings: Settings, logger: Logger): Promise<Settings> {
  const { kind, insteadOf } = await chooseEdge(settings.edge);
  if (insteadOf !== null) {
    logger.info({ edge: kind, reason: insteadOf }, 'node:http and ws serve, as uWebSockets.js does not load');
  }
  if (settings.processes > 1 && !sharesPorts(kind)) {
    throw new MillraceError(
      'config_invalid',
      `MILLRACE_PROCESSES: expected 1, got ${settings.processes}: ${whyOne(kind)}`,
    );
  }
  return { ...settings, edge: kind };
}

function whyOne(kind: string): string {
  return process.platform === 'linux'
    ? `with the edge "${kind}" several processes share a port from Node 22.12 and 23.1 on, and this is ${process.version}`
    : `several processes share a port on Linux only, and this is ${process.platform}`;
}

/** What a process listens with. */
export function edgeOptions(settings: Settings, log: DeviceLog, room: FileRoom): EdgeOptions {
  const { maxTailConnections, httpConnections } = LIMITS;
  return {
    edge: settings.edge,
    maxConnections: settings['max-connections'] + maxTailConnections + httpConnections,
    hasRoom: room.hasRoom,
    onEnded: (error) => log.httpEnded(error),
  };
}
