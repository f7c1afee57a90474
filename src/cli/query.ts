import { Command, Option } from 'commander';
import { ANSWER_FORMS, FORM_NAMES, FUNCTIONS, type FormName } from '../core/index.ts';
import { printTable } from './print.ts';
import { collect, DEFAULT_URL, get, getBytes, rowsAnswer, tagParams } from './server-api.ts';

interface QueryOptions extends Partial<Record<FormName, true>> {
  url: string;
  field: string[];
  device: string[];
  tag: string[];
  fn: string[];
  group: string[];
  from?: string;
  to?: string;
  every?: string;
  order?: string;
  limit?: string;
  cursor?: string;
}

/** `millrace query MEASUREMENT`: history, as a table or in a form that the server writes. */
export function queryCommand(): Command {
  const command = new Command('query')
    .description('read the history of a measurement')
    .argument('<measurement>', 'name of the measurement')
    .option('--url <url>', 'server (MILLRACE_URL)', DEFAULT_URL)
    .option('--field <name>', 'only this field (repeat)', collect, [])
    .option('--device <id>', 'only this device (repeat)', collect, [])
    .option('--tag <name=value>', 'only this tag value (repeat)', collect, [])
    .option('--from <time>', 'from this time on: RFC 3339, -15m, epoch ms (default -1h)')
    .option('--to <time>', 'before this time (default now)')
    .option('--every <duration>', 'one row per bucket of this length, with --fn')
    .option('--fn <name>', `${FUNCTIONS.join(', ')} (repeat)`, collect, [])
    .option('--group <tag>', 'one group per value of this tag (repeat; * for all)', collect, [])
    .addOption(new Option('--order <order>', 'by time').choices(['asc', 'desc']))
    .option('--limit <rows>', 'at most this many rows')
    .option('--cursor <cursor>', 'go on behind an earlier answer')
    .action(async (measurement: string, options: QueryOptions) => {
      const params: [string, string][] = [['measurement', measurement]];
      for (const name of ['field', 'device', 'fn', 'group'] as const) {
        for (const value of options[name]) params.push([name, value]);
      }
      params.push(...tagParams(options.tag));
      for (const name of ['from', 'to', 'every', 'order', 'limit', 'cursor'] as const) {
        const value = options[name];
        if (value !== undefined) params.push([name, value]);
      }
      const form = FORM_NAMES.findLast((name) => options[name] === true);
      if (form !== undefined) {
        params.push(['format', form]);
        return printForm(form, await getBytes(options.url, '/v1/query', params));
      }
      params.push(['format', 'json']);
      const answer = rowsAnswer.parse(JSON.parse(await get(options.url, '/v1/query', params)));
      printTable(answer.columns, answer.rows);
      if (typeof answer.cursor === 'string') {
        process.stderr.write(`more rows: add --cursor ${answer.cursor}\n`);
      }
    });
  for (const name of FORM_NAMES) command.option(`--${name}`, `the server's ${name.toUpperCase()}`);
  return command;
}

const NEWLINE = 10;

/** An answer as the server wrote it. A text ends its last line. */
function printForm(form: FormName, body: Buffer): void {
  process.stdout.write(body);
  if (ANSWER_FORMS[form] === 'text' && body.at(-1) !== NEWLINE) process.stdout.write('\n');
}
