import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { printTable } from './print.ts';
import { DEFAULT_URL, get, post } from './server-api.ts';

const letterSchema = z.looseObject({
  id: z.string(),
  at: z.string(),
  device: z.string(),
  transport: z.string(),
  code: z.string(),
  message: z.string(),
  readings: z.number(),
});
const listSchema = z.object({ deadLetters: z.array(letterSchema), cursor: z.string().nullable() });
const replaySchema = z.object({
  replayed: z.number(),
  refused: z.array(z.object({ id: z.string(), code: z.string(), message: z.string() })),
  refusedTotal: z.number(),
});

interface FilterOptions {
  url: string;
  device?: string;
  code?: string;
  kind?: string;
  transport?: string;
}

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
      .description('show one refused frame as JSON')
      .argument('<id>', 'id of the dead letter')
      .option('--url <url>', 'server (MILLRACE_URL)', DEFAULT_URL)
      .action(async (id: string, { url }: { url: string }) => {
        process.stdout.write(`${await get(url, `/v1/dead-letters/${encodeURIComponent(id)}`, [])}\n`);
      }),
  );
  command.addCommand(
    filtered(new Command('export'))
      .description('write refused frames to a file, one JSON object a line')
      .requiredOption('--out <file>', 'where to; - for stdout')
      .option('--force', 'replace the file if there is one')
      .action(exportLetters),
  );
  command.addCommand(
    new Command('replay')
      .description('try refused frames again, after their schema was registered or the store was mended')
      .argument('[ids...]', 'ids of dead letters')
      .option('--all', 'all of them')
      .option('--url <url>', 'server (MILLRACE_URL)', DEFAULT_URL)
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
    .addOption(new Option('--transport <name>', 'way in').choices(['ws', 'http', 'mqtt']));
}

function filterParameters(options: FilterOptions): [string, string][] {
  const names = ['device', 'code', 'kind', 'transport'] as const;
  return names.flatMap((name): [string, string][] => {
    const value = options[name];
    return value === undefined ? [] : [[name, value]];
  });
}

async function list(
  options: FilterOptions & { limit?: string; cursor?: string; json?: true },
): Promise<void> {
  const parameters = filterParameters(options);
  if (options.limit !== undefined) parameters.push(['limit', options.limit]);
  if (options.cursor !== undefined) parameters.push(['cursor', options.cursor]);
  const body = await get(options.url, '/v1/dead-letters', parameters);
  if (options.json === true) {
    process.stdout.write(`${body}\n`);
    return;
  }
  const { deadLetters, cursor } = listSchema.parse(JSON.parse(body));
  printTable(
    ['id', 'at', 'device', 'transport', 'readings', 'code', 'message'],
    deadLetters.map((each) => [
      each.id,
      each.at,
      each.device,
      each.transport,
      String(each.readings),
      each.code,
      each.message,
    ]),
  );
  if (cursor !== null) process.stderr.write(`more: add --cursor ${cursor}\n`);
}

/** Page by page into a file beside the final one, which appears whole and synced, or not at all. */
async function exportLetters(options: FilterOptions & { out: string; force?: true }): Promise<void> {
  const { url, out, force } = options;
  if (out === '-') {
    await eachLetter(url, filterParameters(options), (line) => process.stdout.write(line));
    return;
  }
  if (force !== true && existsSync(out)) {
    throw new InvalidArgumentError(`--out: ${out} is there already; --force replaces it`);
  }
  const draft = `${out}.${process.pid}.part`;
  const file = openSync(draft, 'w', 0o600);
  try {
    const count = await eachLetter(url, filterParameters(options), (line) => writeSync(file, line));
    fsyncSync(file);
    renameSync(draft, out);
    process.stderr.write(`${count} dead letters in ${out}\n`);
  } finally {
    closeSync(file);
    rmSync(draft, { force: true });
  }
}

async function eachLetter(
  url: string,
  parameters: readonly [string, string][],
  write: (line: string) => unknown,
): Promise<number> {
  let count = 0;
  let cursor: string | null = null;
  do {
    const page: [string, string][] = [...parameters, ['limit', EXPORT_PAGE]];
    if (cursor !== null) page.push(['cursor', cursor]);
    const answer = listSchema.parse(JSON.parse(await get(url, '/v1/dead-letters', page)));
    for (const letter of answer.deadLetters) write(`${JSON.stringify(letter)}\n`);
    count += answer.deadLetters.length;
    cursor = answer.cursor;
  } while (cursor !== null);
  return count;
}

/** Ends with 1 when some are refused again. */
async function replay(
  ids: readonly string[],
  { url, all, json }: { url: string; all?: true; json?: true },
): Promise<void> {
  if (ids.length > 0 === (all === true)) {
    throw new InvalidArgumentError('name the ids of dead letters, or --all of them');
  }
  const body = await post(url, '/v1/dead-letters/replay', all === true ? {} : { ids });
  const { replayed, refused, refusedTotal } = replaySchema.parse(JSON.parse(body));
  if (json === true) {
    process.stdout.write(`${body}\n`);
  } else {
    process.stdout.write(`${replayed} replayed, ${refusedTotal} refused again\n`);
    if (refused.length > 0) {
      printTable(
        ['id', 'code', 'message'],
        refused.map(({ id, code, message }) => [id, code, message]),
      );
    }
  }
  if (refusedTotal > 0) process.exitCode = 1;
}
