import { Command } from 'commander';
import { printTable } from './print.ts';
import { collect, DEFAULT_URL, get, rowsAnswer, tagParams } from './server-api.ts';

interface LatestOptions {
  url: string;
  field: string[];
  device: string[];
  tag: string[];
  json?: true;
}

/** `millrace latest MEASUREMENT`: the newest values of each device. */
export function latestCommand(): Command {
  return new Command('latest')
    .description('show the newest values of each device')
    .argument('<measurement>', 'name of the measurement')
    .option('--url <url>', 'server (MILLRACE_URL)', DEFAULT_URL)
    .option('--field <name>', 'only this field (repeat)', collect, [])
    .option('--device <id>', 'only this device (repeat)', collect, [])
    .option('--tag <name=value>', 'only this tag value (repeat)', collect, [])
    .option('--json', "the server's JSON")
    .action(async (measurement: string, options: LatestOptions) => {
      const params: [string, string][] = [['measurement', measurement]];
      for (const field of options.field) params.push(['field', field]);
      for (const device of options.device) params.push(['device', device]);
      params.push(...tagParams(options.tag));
      const body = await get(options.url, '/v1/latest', params);
      if (options.json === true) process.stdout.write(`${body}\n`);
      else {
        const answer = rowsAnswer.parse(JSON.parse(body));
        printTable(answer.columns, answer.rows);
      }
    });
}
