import { z } from 'zod';
import { messageOf } from '../../../core/index.ts';
import { InfluxUnavailable, QueryRefused } from './unavailable.ts';

/** A value as InfluxQL's JSON has it; whole numbers of 16 digits and more come as text, to lose none. */
export type WireValue = string | number | boolean | null;

/** A piece of one series of one statement's answer. */
export interface SeriesPiece {
  statement: number;
  name: string;
  tags: Readonly<Record<string, string>>;
  columns: readonly string[];
  values: readonly (readonly WireValue[])[];
}

const seriesShape = z.object({
  name: z.string().default(''),
  tags: z.record(z.string(), z.string()).default({}),
  columns: z.array(z.string()),
  // The rows themselves are InfluxDB's own numbers and strings: checking each would double the cost of a read.
  values: z.array(z.custom<readonly WireValue[]>(Array.isArray)).default([]),
});

const lineShape = z.object({
  results: z
    .array(
      z.object({
        statement_id: z.number().default(0),
        series: z.array(seriesShape).default([]),
        partial: z.boolean().default(false),
        error: z.string().optional(),
      }),
    )
    .optional(),
  error: z.string().optional(),
});

/**
 * Reads the answer of `statements` InfluxQL statements: one JSON object per line. Throws InfluxUnavailable
 * when InfluxDB reports an error, when the bytes are no such answer, and when they end before the answer does.
 */
export async function* readAnswer(
  bytes: AsyncIterable<Uint8Array>,
  statements: number,
): AsyncGenerator<SeriesPiece, void, undefined> {
  let finished = 0;
  for await (const line of lines(bytes)) {
    const parsed = parseLine(line);
    if (parsed.error !== undefined) throw refusal(parsed.error);
    for (const result of parsed.results ?? []) {
      if (result.error !== undefined) throw refusal(result.error);
      for (const series of result.series) yield { statement: result.statement_id, ...series };
      if (!result.partial) finished = Math.max(finished, result.statement_id + 1);
    }
  }
  if (finished < statements) throw new InfluxUnavailable("InfluxDB's answer to a query ended early");
}

function refusal(error: string): InfluxUnavailable {
  return error.startsWith('database not found')
    ? new InfluxUnavailable(`InfluxDB does not have the bucket: ${error}; check INFLUX_BUCKET`)
    : new QueryRefused(`InfluxDB refused a query: ${error}`);
}

/** A string, which is left alone, or a whole number that a double may not hold. */
const TEXT_OR_LONG_INTEGER = /"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\d.])-?\d{16,}(?![\d.eE])/g;

function parseLine(line: string): z.output<typeof lineShape> {
  // What Go's encoder says, in plain text, of an infinite sum.
  if (line.startsWith('json: ')) throw refusal(line);
  return parseJson(line);
}

function parseJson(line: string): z.output<typeof lineShape> {
  const exact = line.replace(TEXT_OR_LONG_INTEGER, (match) => (match.startsWith('"') ? match : `"${match}"`));
  try {
    return lineShape.parse(JSON.parse(exact));
  } catch (cause) {
    const shown = line.slice(0, 100);
    throw new InfluxUnavailable(`InfluxDB's answer is not its own: ${messageOf(cause)}: ${shown}`, { cause });
  }
}

async function* lines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  let pieces: Uint8Array[] = [];
  for await (const chunk of bytes) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      pieces.push(chunk.subarray(start, end));
      start = end + 1;
      const line = Buffer.concat(pieces).toString('utf8');
      pieces = [];
      if (line.trim() !== '') yield line;
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
  }
  const rest = Buffer.concat(pieces).toString('utf8');
  if (rest.trim() !== '') yield rest;
}
