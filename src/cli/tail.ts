import { once } from 'node:events';
import { Command, InvalidArgumentError, Option } from 'commander';
import { WebSocket } from 'ws';
import { TailClient, type TailRequest } from '../client/index.ts';
import { printable } from '../core/index.ts';
import { cellText } from './print.ts';
import { DEFAULT_URL, collect, socketUrl, tagParams } from './server-api.ts';

interface TailCommandOptions {
  url: string;
  field: string[];
  device: string[];
  tag: string[];
  from?: string;
  cursor?: string;
  mode?: 'all' | 'latest';
  limit?: number;
  json?: true;
}

/** `millrace tail MEASUREMENT`: rows as they arrive, history first when asked, until Ctrl-C. */
export function tailCommand(): Command {
  return new Command('tail')
    .description('follow a measurement live')
    .argument('<measurement>', 'name of the measurement')
    .option('--url <url>', 'server (MILLRACE_URL)', DEFAULT_URL)
    .option('--field <name>', 'only this field (repeat)', collect, [])
    .option('--device <id>', 'only this device (repeat)', collect, [])
    .option('--tag <name=value>', 'only this tag value (repeat)', collect, [])
    .option('--from <time>', 'stored rows from this time on first: -5m, RFC 3339, epoch ms (default now)')
    .option('--cursor <cursor>', 'go on behind an earlier tail or query')
    .addOption(
      new Option('--mode <mode>', 'latest skips rows when reading is slow').choices(['all', 'latest']),
    )
    .option('--limit <rows>', 'stop after this many rows', parseCount)
    .option('--json', 'one JSON object per row')
    .action(follow);
}

async function follow(measurement: string, options: TailCommandOptions): Promise<void> {
  const request: TailRequest = {
    measurement,
    ...(options.device.length > 0 ? { device: options.device } : {}),
    ...(options.field.length > 0 ? { field: options.field } : {}),
    ...(options.tag.length > 0 ? { tag: tagLists(options.tag) } : {}),
    ...(options.from === undefined ? {} : { from: options.from }),
    ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
    ...(options.mode === undefined ? {} : { mode: options.mode }),
  };
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let troubleTold = false;
  const client = new TailClient({
    url: socketUrl(options.url),
    WebSocket,
    onState: (state) => {
      if (state.name === 'waiting' && !troubleTold) {
        troubleTold = true;
        const { reason, closeCode } = state.end;
        process.stderr.write(
          `millrace: ${options.url}: ${printable(reason || `close code ${closeCode}`)}; trying again\n`,
        );
      }
      // The next time that it is lost is told, too.
      if (state.name === 'open') troubleTold = false;
      if (state.name === 'stopped' && state.stop.cause !== 'closed')
        fail(`the connection ended: ${state.stop.reason}`);
    },
  });
  const done = new AbortController();
  function fail(message: string): void {
    process.stderr.write(`millrace: ${printable(message)}\n`);
    process.exitCode = 1;
    done.abort();
  }
  client.subscribe(request, {
    onColumns: (columns) => {
      if (options.json !== true) process.stdout.write(`${columns.map(cellText).join('\t')}\n`);
    },
    onRows: (rows, columns) => {
      for (const row of rows.slice(0, left)) {
        process.stdout.write(
          options.json === true
            ? `${JSON.stringify(Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null])))}\n`
            : `${row.map(cellText).join('\t')}\n`,
        );
      }
      left -= rows.length;
      if (left <= 0) done.abort();
    },
    onGap: (gap) => {
      process.stderr.write(
        `gap: ${gap.missed ?? 'some'} rows were missed; read them from ${printable(gap.query)}\n`,
      );
    },
    onError: (error, willRetry) => {
      if (willRetry)
        process.stderr.write(`millrace: ${printable(error.message)} (${error.code}); trying again\n`);
      else fail(`${error.message} (${error.code})`);
    },
  });
  process.once('SIGINT', () => done.abort());
  process.once('SIGTERM', () => done.abort());
  if (!done.signal.aborted) await once(done.signal, 'abort');
  client.close();
}

function tagLists(tags: readonly string[]): Record<string, string[]> {
  const lists = new Map<string, string[]>();
  for (const [parameter, value] of tagParams(tags)) {
    const name = parameter.slice('tag.'.length);
    lists.set(name, [...(lists.get(name) ?? []), value]);
  }
  return Object.fromEntries(lists);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new InvalidArgumentError('expected a whole number from 1 on');
  return count;
}
