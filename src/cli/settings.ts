import { Option, type Command } from 'commander';
import { loadConfig, SETTINGS, type SettingKey, type Settings } from '../config/index.ts';

const KEYS = Object.keys(SETTINGS) as SettingKey[];

/** Adds one flag for each setting, and --config. Secrets have no flag: it would show in the process list. */
export function addSettingFlags(command: Command): Command {
  command.option('--config <file>', 'YAML file with settings');
  for (const key of KEYS) {
    const { env, expected, fallback, help, secret } = SETTINGS[key];
    if (secret === true) {
      command.addHelpText('after', `\nBy environment or file alone: ${env}, ${help}`);
      continue;
    }
    const flags = key === 'insecure' ? '--insecure' : `--${key} <value>`;
    const given = fallback === null || Array.isArray(fallback) ? 'none' : asWritten(SETTINGS[key]);
    command.addOption(new Option(flags, `${help}: ${expected} (${env}, default ${given})`));
  }
  return command;
}

/** Units of sizes and durations, in the order in which a text is looked for, and what each is worth. */
const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
  ['TiB', 1024 ** 4],
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
];

/** A default as somebody would write it: the first text that the setting takes for just that value. */
function asWritten({ fallback, schema }: (typeof SETTINGS)[SettingKey]): string {
  const plain = String(fallback);
  if (typeof fallback !== 'number') return plain;
  const texts = UNITS.filter(([, worth]) => fallback % worth === 0).map(
    ([unit, worth]) => `${fallback / worth}${unit}`,
  );
  const [day = ''] = new Date(fallback).toISOString().split('T');
  return [...texts, day].find((text) => schema.safeParse(text).data === fallback) ?? plain;
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
