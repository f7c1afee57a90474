import { Option, type Command } from 'commander';
import { loadConfig, SETTINGS, type SettingKey, type Settings } from '../config/index.ts';

const KEYS = Object.keys(SETTINGS) as SettingKey[];

/** Adds one flag for each setting, and --config. Secrets have no flag: it would show in the process list. */
export function addSettingFlags(command: Command): Command {
  command.option('--config <file>', 'YAML file with settings');
  for (const key of KEYS) {
    const { env, expected, fallback, help, secret } = SETTINGS[key];
    if (secret === true) continue;
    const flags = key === 'insecure' ? '--insecure' : `--${key} <value>`;
    const given = fallback === null || Array.isArray(fallback) ? 'none' : String(fallback);
    command.addOption(new Option(flags, `${help}: ${expected} (${env}, default ${given})`));
  }
  return command;
}

/** The settings of a command that has setting flags. Throws `config_invalid`. */
export function settingsOf(command: Command): Settings {
  const options = command.opts<Record<string, string | true | undefined>>();
  const flags: Record<string, string | undefined> = {};
  for (const key of KEYS) {
    const name = key.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const value = options[name];
    if (value !== undefined) flags[key] = String(value);
  }
  const file = options.config;
  return loadConfig({ flags, env: process.env, file: typeof file === 'string' ? file : undefined });
}
