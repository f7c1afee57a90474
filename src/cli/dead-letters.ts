import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { TRANSPORTS } from '../core/index.ts';
import { printTable } from './print.ts';
import { DEFAULT_URL, get, postJson } from './server-api.ts';
import { WholeFile } from './whole-file.ts';

const letterSchema = z.looseObject({
  id: z.string(),
  at: z.string(),
  device: z.string(),
  transport: z.string(),
  kind: z.string(),
  schema: z.record(z.string(), z.unknown()).nullable(),
  code: z.string(),
  message: z.string(),
  readings: z.number(),
  seq: z.number().nullable(),
  position: z.number().nullable(),
  bytes: z.string(),
});
const listSchema = z.object({ deadLetters: z.array(letterSchema), cursor: z.string().nullable() });
const replaySchema = z.object({
  replayed: z.number(),
  pending: z.number(),
  refused: z.array(z.object({ id: z.string(), code: z.string(), message: z.string() })),
  refusedTotal: z.number(),
});

const FILTERS = ['device', 'code', 'kind', 'transport'] as const;
type FilterOptions = { url: string } & { [Key in (typeof FILTERS)[number]]?: string };

/** Dead letters of one page while all are exported. */
const EXPORT_PAGE = '1000';

/** `millrace dead-letters`: frames that were refused, by the server or by the store. */
export function deadLettersCommand(): Command {
  const command = new Command('dead-letters').description('list, show, export or replay refused frames');
  command.addCommand(
    filtered(new Command('list'))
      .description('list refused frames, newest first')
      .option('--limit <n>', 'at most this many')
      .option('--cursor <cursor>', 'go on behind an earlier answer')
      .option('--json', "the server's JSON")
      .action(list),
  );
  command.addCommand(
    new Command('show')
      .description('show one refused frame')
      .argument('<id>', 'id of the dead letter')
      .option('--url <url>', 'server (MILLRACE_URL)', DEFAULT_URL)
      .option('--json', "the server's JSON")
      .action(show),
  );
  command.addCommand(
    filtered(new Command('export'))
      .description('write refused frames to a file, one JSON object a line')
      .requiredOption('--out <file>', 'where to; - for stdout')
      .option('--force', 'replace the file if there is one')
      .action(exportLetters),
  );
  command.addCommand(
    filtered(new Command('replay'))
      .description('try refused frames again, after their schema was registered or the store was mended')
      .argument('[ids...]', 'ids of dead letters')
      .option('--all', 'all of them, or all that match')
      .option('--json', "the server's JSON")
      .action(replay),
  );
  return command;
}

function filtered(command: Command): Command {
  return command
    .option('--url <url>', 'server (MILLRACE_URL)', DEFAULT_URL)
    .option('--device <id>', 'only of this device')
    .option('--code <code>', 'only with this error code')
    .addOption(new Option('--kind <kind>', 'who refused').choices(['rejected', 'deadLettered']))
    .addOption(new Option('--transport <name>', 'way in').choices(TRANSPORTS));
}

function filtersOf(options: FilterOptions): [string, string][] {
  return FILTERS.flatMap((name): [string, string][] => {
    const value = options[name];
    return value === undefined ? [] : [[name, value]];
  });
}

async function list(
  options: FilterOptions & { limit?: string; cursor?: string; json?: true },
): Promise<void> {
  const parameters = filtersOf(options);
  if (options.limit !== undefined) parameters.push(['limit', options.limit]);
  if (options.cursor !== undefined) parameters.push(['cursor', options.cursor]);
  const body = await get(options.url, '/v1/dead-letters', parameters);
  if (options.json === true) {
    process.stdout.write(`${body}\n`);
    return;
  }
  const { deadLetters, cursor } = listSchema.parse(JSON.parse(body));
  const columns = ['id', 'at', 'device', 'transport', 'seq', 'readings', 'code', 'message'] as const;
  printTable(
    columns,
    deadLetters.map((letter) => columns.map((name) => letter[name])),
  );
  // A page may be short: the server looks through so many letters at a time.
  if (cursor !== null) process.stderr.write(`more: add --cursor ${cursor}\n`);
}

async function show(id: string, { url, json }: { url: string; json?: true }): Promise<void> {
  const body = await get(url, `/v1/dead-letters/${encodeURIComponent(id)}`, []);
  if (json === true) {
    process.stdout.write(`${body}\n`);
    return;
  }
  const { schema, bytes, ...letter } = letterSchema.parse(JSON.parse(body));
  const frame = Buffer.from(bytes, 'base64');
  printTable(
    ['member', 'value'],
    [
      ...Object.entries(letter),
      ...Object.entries(schema ?? {}).map(([name, value]) => [`schema ${name}`, value]),
      ['bytes', frame.length],
      ['hex', frame.toString('hex', 0, 64) + (frame.length > 64 ? '…' : '')],
    ],
  );
}

/** Page by page; a file appears whole and synced, or not at all. */
async function exportLetters(options: FilterOptions & { out: string; force?: true }): Promise<void> {
  const { out, force } = options;
  if (out === '-') {
    for await (const line of lines(options)) {
      if (!process.stdout.write(line)) await once(process.stdout, 'drain');
    }
    return;
  }
  if (force !== true && existsSync(out)) {
    throw new InvalidArgumentError(`--out: ${out} is there already; --force replaces it`);
  }
  const file = new WholeFile(out, force === true);
  let count = 0;
  try {
    for await (const line of lines(options)) {
      file.write(line);
      count++;
    }
    file.finish();
  } catch (error) {
    file.discard();
    throw error;
  }
  process.stderr.write(`${count} dead letters in ${out}\n`);
}

async function* lines(options: FilterOptions): AsyncGenerator<string> {
  let cursor: string | null = null;
  do {
    const page: [string, string][] = [...filtersOf(options), ['limit', EXPORT_PAGE]];
    if (cursor !== null) page.push(['cursor', cursor]);
    const answer = listSchema.parse(JSON.parse(await get(options.url, '/v1/dead-letters', page)));
    for (const letter of answer.deadLetters) yield `${JSON.stringify(letter)}\n`;
    cursor = answer.cursor;
  } while (cursor !== null);
}

/** Ends with 1 when some are refused again. */
async function replay(
  ids: readonly string[],
  options: FilterOptions & { all?: true; json?: true },
): Promise<void> {
  const filters = filtersOf(options);
  if (ids.length > 0 === (options.all === true)) {
    throw new InvalidArgumentError('name the ids of dead letters, or --all of them');
  }
  if (ids.length > 0 && filters.length > 0) {
    throw new InvalidArgumentError(`--${filters[0]?.[0]}: goes with --all, not with ids`);
  }
  const request = options.all === true ? Object.fromEntries(filters) : { ids };
  const body = await postJson(options.url, '/v1/dead-letters/replay', request);
  const { replayed, pending, refused, refusedTotal } = replaySchema.parse(JSON.parse(body));
  if (options.json === true) {
    process.stdout.write(`${body}\n`);
  } else {
    const waiting = pending > 0 ? ` (${pending} of them wait for the store)` : '';
    process.stdout.write(`${replayed} replayed${waiting}, ${refusedTotal} refused again\n`);
    if (refused.length > 0) {
      printTable(
        ['id', 'code', 'message'],
        refused.map(({ id, code, message }) => [id, code, message]),
      );
    }
    if (refusedTotal > refused.length) {
      process.stderr.write(`${refusedTotal - refused.length} more are not listed\n`);
    }
  }
  if (refusedTotal > 0) process.exitCode = 1;
}
