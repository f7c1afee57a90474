import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { MQTT_VERSIONS, withoutUser, type Settings } from '../config/index.ts';
import type { PartState } from '../api/index.ts';
import type { BridgeOptions, BridgeStatus } from '../ingest/index.ts';
import type { Logger } from '../telemetry/index.ts';

/** What the bridge needs; null when no broker is named. `idFile` keeps the name of its session on the broker. */
export function bridgeOptions(settings: Settings, idFile: string, logger: Logger): BridgeOptions | null {
  const url = settings['mqtt-url'];
  if (url === null) return null;
  const version = settings['mqtt-version'];
  return {
    url,
    filter: settings['mqtt-topic'],
    clientId: settings['mqtt-client-id'] ?? keptClientId(idFile),
    version: version === 'auto' ? null : MQTT_VERSIONS[version],
    caFile: settings['mqtt-ca'],
    certFile: settings['mqtt-cert'],
    keyFile: settings['mqtt-key'],
    logger,
    random: Math.random,
  };
}

/** One for each data folder, so that two gateways never take each other's session: 23 letters and digits (MQTT 3.1.1, 3.1.3.1). */
function keptClientId(file: string): string {
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (/^millrace[0-9a-f]{15}$/.test(kept)) return kept;
  const id = `millrace${randomBytes(8).toString('hex').slice(0, 15)}`;
  writeFileSync(file, `${id}\n`);
  return id;
}

/** What /readyz says of the bridge. */
export function bridgePart(url: string, { sinceMs, ...status }: BridgeStatus): PartState {
  return { ...status, broker: withoutUser(url), since: new Date(sinceMs).toISOString() };
}
