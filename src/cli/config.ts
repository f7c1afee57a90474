import { Command } from 'commander';
import { SETTINGS, misspeltVariables, type SettingKey } from '../config/index.ts';
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
      Object.entries(settings).map(([key, value]) => [
        key,
        SETTINGS[key as SettingKey].secret === true && value !== null ? '(hidden)' : value,
      ]),
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
