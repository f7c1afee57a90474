import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { MillraceError, didYouMean, messageOf, nearestName } from '../core/index.ts';
import { withoutUser } from './setting.ts';
import { SETTINGS, type SettingKey, type Settings } from './settings.ts';
import { missingStoreSettings } from './store-settings.ts';

export interface ConfigSources {
  /** By setting key; undefined where the flag was not given. */
  flags: Readonly<Record<string, string | undefined>>;
  env: Readonly<Record<string, string | undefined>>;
  /** Path of the YAML file, if any. */
  file?: string | undefined;
}

const KEYS = Object.keys(SETTINGS) as SettingKey[];

/**
 * Reads flags, then environment, then the file, and checks everything as a whole. Throws one
 * `config_invalid` that lists every wrong setting by the name it was given under.
 */
export function loadConfig(sources: ConfigSources): Settings {
  const file = sources.file === undefined ? {} : readFile(sources.file);
  const problems = Object.keys(file)
    .filter((key) => !KEYS.includes(key as SettingKey))
    .map(
      (key) =>
        `${key} in ${sources.file}: expected a known setting (one of ${KEYS.join(', ')})${didYouMean(key, KEYS)}`,
    );
  const values: Record<string, unknown> = {};
  for (const key of KEYS) {
    const { env, schema, expected, fallback, secret } = SETTINGS[key];
    const given = firstGiven(key, env, sources, file);
    if (given === null) {
      values[key] = fallback;
      continue;
    }
    const result = schema.safeParse(given.text);
    if (result.success) values[key] = result.data;
    else
      problems.push(
        `${given.name}: expected ${expected}, got ${secret === true ? '(hidden)' : JSON.stringify(withoutUser(given.text))}`,
      );
  }
  const settings = values as Settings;
  if (problems.length === 0) problems.push(...contradictions(settings));
  if (problems.length > 0) throw new MillraceError('config_invalid', problems.join('\n'));
  return settings;
}

/**
 * Variables of the environment that look like a setting's with a slip of the pen, as sentences for a warning. They are
 * no error: other programs name variables after a service called millrace, too.
 */
export function misspeltVariables(env: ConfigSources['env']): string[] {
  const known = KEYS.flatMap((key) => SETTINGS[key].env ?? []);
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !known.includes(name) && !OF_COMMANDS.includes(name))
    .flatMap((name) => {
      const meant = nearestName(
        name.slice(PREFIX.length),
        known.filter(isOwn).map((each) => each.slice(PREFIX.length)),
      );
      return meant === null
        ? []
        : [`${name} is no setting and says nothing; did you mean ${PREFIX}${meant}?`];
    });
}

const PREFIX = 'MILLRACE_';
/** Variables that commands read and that are no settings of the server. */
const OF_COMMANDS: readonly string[] = ['MILLRACE_URL'];

function isOwn(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** What no setting shows by itself. */
function contradictions(settings: Settings): string[] {
  const problems: string[] = [];
  for (const key of missingStoreSettings(settings.store, settings)) {
    const { env, expected } = SETTINGS[key];
    problems.push(`${env}: expected ${expected} (the store is ${settings.store}), got nothing`);
  }
  if (!isLoopback(settings.host) && !settings.insecure) {
    problems.push(
      `MILLRACE_HOST: expected a loopback address, got "${settings.host}" (connections are not authenticated; ` +
        '--insecure allows it behind something that does)',
    );
  }
  for (const key of ['mqtt-ca', 'mqtt-cert', 'mqtt-key'] as const) {
    const path = settings[key];
    if (path !== null && !existsSync(path)) {
      problems.push(`${SETTINGS[key].env}: expected a file that exists, got "${path}"`);
    }
  }
  if ((settings['mqtt-cert'] === null) !== (settings['mqtt-key'] === null)) {
    problems.push('MQTT_CERT and MQTT_KEY: expected both or none, got one of them');
  }
  // Elsewhere a port that is shared gives all connections to one of those who share it.
  if (settings.processes > 1 && process.platform !== 'linux') {
    problems.push(`MILLRACE_PROCESSES: expected 1 on this system, got "${settings.processes}"`);
  }
  return problems;
}

/** Whether a host name or address reaches this machine alone. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

function firstGiven(
  key: SettingKey,
  env: string | null,
  sources: ConfigSources,
  file: Record<string, string>,
): { name: string; text: string } | null {
  const fromFlag = sources.flags[key];
  if (fromFlag !== undefined) return { name: `--${key}`, text: fromFlag };
  const fromEnv = env === null ? undefined : sources.env[env];
  if (env !== null && fromEnv !== undefined && fromEnv !== '') return { name: env, text: fromEnv };
  const fromFile = file[key];
  return fromFile === undefined ? null : { name: `${key} in ${sources.file}`, text: fromFile };
}

/** What YAML writes for no value. */
const NOTHING: ReadonlySet<string> = new Set(['', '~', 'null']);

function readFile(path: string): Record<string, string> {
  let parsed: unknown;
  try {
    // Texts alone, as from flags and environment: 05e41 is a name and no number, 1.10 is not 1.1.
    parsed = parse(readFileSync(path, 'utf8'), { schema: 'failsafe' });
  } catch (error) {
    // The parser quotes the lines around the fault, where a token may stand.
    const [why] = messageOf(error).split('\n', 1);
    throw new MillraceError('config_invalid', `--config: cannot read ${path}: ${why?.replace(/:$/, '')}`);
  }
  if (parsed === null || parsed === '') return {};
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw new MillraceError('config_invalid', `--config: expected ${path} to hold "key: value" lines`);
  }
  const texts: [string, string][] = [];
  for (const [key, value] of Object.entries(parsed)) {
    const items: unknown[] = Array.isArray(value) ? value : [value];
    if (typeof value === 'string' && NOTHING.has(value)) continue;
    if (!items.every((item) => typeof item === 'string')) {
      throw new MillraceError('config_invalid', `${key} in ${path}: expected one value or a list of them`);
    }
    texts.push([key, items.join(',')]);
  }
  return Object.fromEntries(texts);
}
