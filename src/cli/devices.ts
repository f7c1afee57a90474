import { randomBytes } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import { FLEET_TRANSPORTS, MODELS, runFleet, type FleetTransport } from '../../devices/index.ts';
import { isDeviceId, parseDurationMs, printable } from '../core/index.ts';
import { printJson } from './print.ts';
import { socketUrl } from './server-api.ts';

const MAX_PREFIX = 120;

interface DevicesOptions {
  url: string;
  model: string;
  count: number;
  rate: number;
  readings: number;
  duration: number;
  seed: number;
  transport: FleetTransport;
  prefix?: string;
  json?: true;
}

/** `millrace devices`: a simulated fleet; prints its summary as one JSON object when it ends. */
export function devicesCommand(): Command {
  return new Command('devices')
    .description('stream believable data from simulated devices')
    .requiredOption('--url <url>', 'gateway, ws://HOST:PORT or http://HOST:PORT', socketUrl)
    .addOption(
      new Option('--model <name>', 'kind of device').choices(Object.keys(MODELS)).makeOptionMandatory(),
    )
    .option('--count <n>', 'devices', wholeNumber(1, 100_000), 10)
    .option('--rate <frames>', 'frames per second of each device', positive, 1)
    .option('--readings <n>', 'readings in a frame', wholeNumber(1, 65_536), 10)
    .option('--duration <time>', 'how long, such as 30s', durationMs, 30_000)
    .option('--seed <n>', 'the same seed makes the same data', wholeNumber(0, 2 ** 32 - 1), 1)
    .option(
      '--prefix <id>',
      'devices are called ID-0001 and so on; default: the model and four random characters',
      prefix,
    )
    .addOption(new Option('--transport <name>', 'way in').choices(FLEET_TRANSPORTS).default('ws'))
    .option('--json', 'no progress line, only the summary')
    .action(async (options: DevicesOptions) => {
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      process.once('SIGTERM', () => stop.abort());
      const quiet = options.json === true || !process.stderr.isTTY;
      const idPrefix = options.prefix ?? `${options.model}-${randomSuffix()}`;
      let troubleTold = false;
      const summary = await runFleet({
        idPrefix,
        url: options.url,
        transport: options.transport,
        model: options.model,
        count: options.count,
        rate: options.rate,
        readings: options.readings,
        durationMs: options.duration,
        seed: options.seed,
        signal: stop.signal,
        onProgress: (progress) => {
          if (!quiet) process.stderr.write(`\r${progressLine(progress)}\u001B[K`);
        },
        onTrouble: (reason) => {
          // One device speaks for all: a fleet that finds nobody would fill the screen.
          if (!troubleTold) {
            process.stderr.write(`millrace: ${options.url}: ${printable(reason)}; trying again\n`);
          }
          troubleTold = true;
        },
      });
      if (!quiet) process.stderr.write('\n');
      printJson({ prefix: idPrefix, ...summary });
      if (summary.frames_acked < summary.frames_sent + summary.frames_unsent) process.exitCode = 1;
    });
}

/** Tells the devices of one run from those of another, and from the demo's, which would push each other out. */
function randomSuffix(): string {
  return randomBytes(4).toString('hex').slice(0, 4);
}

/** The number that follows takes up to seven characters of an id's 128. */
function prefix(text: string): string {
  if (text.length > MAX_PREFIX || !isDeviceId(text)) {
    throw new InvalidArgumentError(
      `expected up to ${MAX_PREFIX} of A-Z a-z 0-9 . _ : -, beginning with a letter or digit`,
    );
  }
  return text;
}

function progressLine(progress: { connected: number; frames_sent: number; frames_acked: number }): string {
  return `${progress.connected} connected, ${progress.frames_sent} frames sent, ${progress.frames_acked} acknowledged`;
}

function wholeNumber(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
    }
    return value;
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 100_000)) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

function durationMs(text: string): number {
  const value = parseDurationMs(text);
  if (value === null || value <= 0)
    throw new InvalidArgumentError('expected a duration such as 30s, 15m or 12h');
  return value;
}
