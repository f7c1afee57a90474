import { Command } from 'commander';
import { SETTINGS, misspeltVariables, withoutUser, type SettingKey } from '../config/index.ts';
import { addSettingFlags, settingsOf } from './settings.ts';
import { printJson, printTable } from './print.ts';

/** `millrace config check`: what the settings are, from everywhere, or what is wrong with them (exit 2). */
export function configCommand(): Command {
  const check = new Command('check')
    .description('check flags, environment and file, and show the settings that result')
    .option('--json', 'as JSON');
  addSettingFlags(check).action(() => {
    const settings = settingsOf(check);
    for (const warning of misspeltVariables(process.env)) process.stderr.write(`millrace: ${warning}\n`);
    const shown = Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [key, shownValue(key as SettingKey, value)]),
    );
    if (check.opts<{ json?: true }>().json === true) printJson(shown);
    else {
      printTable(
        ['setting', 'value', 'environment'],
        Object.entries(shown).map(([key, value]) => [
          key,
          String(value ?? ''),
          SETTINGS[key as SettingKey].env,
        ]),
      );
    }
  });
  return new Command('config').description('look at the settings').addCommand(check);
}

/** A value as anybody may see it. */
function shownValue<Value>(key: SettingKey, value: Value): Value | string {
  const { secret = false } = SETTINGS[key];
  if (secret === false || value === null) return value;
  return secret === 'user' && typeof value === 'string' ? withoutUser(value) : '(hidden)';
}
