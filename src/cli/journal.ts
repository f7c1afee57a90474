import { once } from 'node:events';
import { Command, InvalidArgumentError } from 'commander';
import { loadConfig } from '../config/index.ts';
import type * as Journal from '../journal/index.ts';
import type { DeadLetter, JournalFrame, JournalReport, Span } from '../journal/index.ts';
import { printJson } from './print.ts';
import { WholeFile } from './whole-file.ts';

/** What reads a journal: loaded when it is asked for, because it stands on add-ons that other commands do without. */
type JournalReader = typeof Journal;

interface CommonOptions {
  dataDir?: string;
  config?: string;
}

interface ExportOptions extends CommonOptions {
  out: string;
  from: number;
  to: number;
  deadLetters: boolean;
  force?: true;
}

/** `millrace journal`: looks at a stopped server's journal, and saves what can be read of it. */
export function journalCommand(): Command {
  return new Command('journal')
    .description("look at a stopped server's journal")
    .addCommand(checkCommand())
    .addCommand(exportCommand());
}

function checkCommand(): Command {
  return common(new Command('check'))
    .description('say what can be read and what is damaged: exit 0 when it is sound, 1 when not')
    .option('--json', 'as JSON')
    .action(async (options: CommonOptions & { json?: true }) => {
      const report = await withJournal(options, ({ checkJournal }, dir) => checkJournal(dir));
      if (options.json === true) printJson(report);
      else process.stdout.write(describe(report));
      if (!report.sound) process.exitCode = 1;
    });
}

function exportCommand(): Command {
  return common(new Command('export'))
    .description('write every frame and dead letter that can be read, one JSON object a line')
    .requiredOption('--out <file>', 'where to; - is stdout')
    .option('--from <position>', 'the first position', position, 0)
    .option('--to <position>', 'the position after the last', position, Infinity)
    .option('--no-dead-letters', 'leave out the dead letters')
    .option('--force', 'overwrite the file')
    .action(async (options: ExportOptions) => {
      const report = await withJournal(options, (reader, dir) => {
        const lines = exportLines(reader, dir, options);
        return options.out === '-' ? toStdout(lines) : toFile(lines, options);
      });
      for (const line of losses(report)) process.stderr.write(`${line}\n`);
    });
}

function common(command: Command): Command {
  return command
    .option('--data-dir <folder>', 'the data folder (MILLRACE_DATA_DIR, default ./data)')
    .option('--config <file>', 'YAML file with settings');
}

function dataDir({ dataDir: flag, config }: CommonOptions): string {
  return loadConfig({ flags: { 'data-dir': flag }, env: process.env, file: config })['data-dir'];
}

/** The lock keeps a server from changing the files meanwhile. */
async function withJournal<T>(
  options: CommonOptions,
  look: (reader: JournalReader, dir: string) => T | Promise<T>,
): Promise<T> {
  const dir = dataDir(options);
  const { lockDataFolder } = await import('../app/index.ts');
  const reader = await import('../journal/index.ts');
  const folder = lockDataFolder(dir);
  try {
    return await look(reader, folder.path('journal'));
  } finally {
    folder.release();
  }
}

type Lines = Generator<string, JournalReport, undefined>;

/** The frames, then the dead letters. */
function* exportLines(reader: JournalReader, dir: string, options: ExportOptions): Lines {
  const frames = reader.salvageFrames(dir, options);
  for (;;) {
    const step = frames.next();
    if (step.done === true) {
      if (options.deadLetters) for (const letter of reader.salvageLetters(dir)) yield letterLine(letter);
      return step.value;
    }
    yield frameLine(step.value);
  }
}

function toFile(lines: Lines, { out, force }: ExportOptions): JournalReport {
  const file = new WholeFile(out, force === true);
  try {
    for (;;) {
      const step = lines.next();
      if (step.done === true) {
        file.finish();
        return step.value;
      }
      file.write(step.value);
    }
  } catch (error) {
    file.discard();
    throw error;
  }
}

async function toStdout(lines: Lines): Promise<JournalReport> {
  for (;;) {
    const step = lines.next();
    if (step.done === true) return step.value;
    if (!process.stdout.write(step.value)) await once(process.stdout, 'drain');
  }
}

function frameLine({
  position: at,
  device,
  seq,
  transport,
  arrivalMs,
  readings,
  bytes,
}: JournalFrame): string {
  const arrival = new Date(arrivalMs).toISOString();
  return jsonLine({ position: at, device, seq, transport, arrival, readings, bytes: base64(bytes) });
}

function letterLine({ atMs, bytes, ...letter }: DeadLetter): string {
  const at = new Date(atMs).toISOString();
  return jsonLine({ deadLetter: { ...letter, at, bytes: base64(bytes) } });
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}

function jsonLine(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

/** The report for people. */
function describe(report: JournalReport): string {
  const { head, tail, settled, ledger, deviceNumbers } = report;
  const unknown = 'unknown: the state record cannot be read';
  return [
    `${report.file}: ${report.sound ? 'sound' : 'DAMAGED'}`,
    `size           ${report.sizeBytes} bytes; the meta page speaks of ${report.expectedBytes ?? 'nothing: it cannot be read'}`,
    `format         ${report.format ?? 'unknown'}, epoch ${report.epoch ?? 'unknown'}`,
    `positions      ${head === null ? unknown : `tail ${tail}, settled ${settled}, head ${head}`}`,
    `readable       ${report.blocks} blocks, ${report.frames} frames, ${report.readings} readings`,
    `ledger         ${ledger === null ? unknown : counts(ledger)}`,
    `dead letters   ${report.deadLetters}`,
    `device numbers ${deviceNumbers.snapshot === 'none' ? 'no snapshot' : `snapshot ${deviceNumbers.snapshot}, ${deviceNumbers.devices} devices, ${deviceNumbers.outboxes} outboxes`}`,
    ...losses(report),
    '',
  ].join('\n');
}

function counts(ledger: NonNullable<JournalReport['ledger']>): string {
  const { byTransport: _, ...sums } = ledger;
  return Object.entries(sums)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function losses({ problems, damaged, salvaged, missing }: JournalReport): string[] {
  return [
    ...problems.map((problem) => `problem        ${problem}`),
    ...damaged.map(
      ({ position: at, fault }) => `damaged block  ${at === null ? '' : `at position ${at}: `}${fault}`,
    ),
    ...salvaged.map((span) => `salvageable    ${text(span)}: not in its place, found elsewhere in the file`),
    ...missing.map((span) => `lost           ${text(span)}`),
  ];
}

function text({ from, to }: Span): string {
  return to === from + 1 ? `position ${from}` : `positions ${from} to ${to - 1}`;
}

function position(value: string): number {
  const parsed = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(parsed))
    throw new InvalidArgumentError('expected a position: a whole number from 0');
  return parsed;
}
