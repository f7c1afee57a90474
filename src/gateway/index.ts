/**
 * The package's face for programs: a gateway inside of one's own process. It is what `millrace serve` runs, with the same
 * settings, and nothing of the environment reaches it.
 */
import { join } from 'node:path';
import { startServer } from '../app/index.ts';
import { loadConfig, PACKAGE_DIR, VERSION, type SettingKey } from '../config/index.ts';
import { createLogger } from '../telemetry/index.ts';

export { MillraceError, type ErrorCode } from '../core/index.ts';

/** By their names in the YAML file, and as texts: `{ port: '0', 'data-dir': './data' }`. */
export type GatewaySettings = Readonly<Partial<Record<SettingKey, string>>>;

/** A gateway that takes frames. */
export interface Gateway {
  /** http://HOST:PORT */
  url: string;
  /** Drains: takes nothing new, makes durable and acknowledges what came, flushes, closes. Call once. */
  stop(): Promise<void>;
}

/** Starts a gateway. Rejects with a MillraceError: `config_invalid`, `port_in_use`, `data_dir_in_use` and others. */
export async function startGateway(settings: GatewaySettings = {}): Promise<Gateway> {
  const checked = loadConfig({ flags: settings, env: {}, file: undefined });
  const server = await startServer({
    settings: checked,
    logger: createLogger(checked['log-level']),
    version: VERSION,
    pageDir: join(PACKAGE_DIR, 'dist', 'dashboard'),
  });
  return { url: server.url, stop: () => server.stop() };
}
