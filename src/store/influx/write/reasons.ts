import type { BodyPoint, RowRef } from './body.ts';

/** What a reason of InfluxDB's says of the points that it left out. */
export interface Suspicion {
  /** By row, since rows of one point may differ in it. */
  suspects(ref: RowRef): boolean;
  /** The reason for people. */
  message: string;
}

const CONFLICT =
  /field type conflict: input field ("(?:[^"\\]|\\.)*") on measurement ("(?:[^"\\]|\\.)*") is type (\w+), already exists as type (\w+)/;
const RETENTION_BOUND =
  /Retention Policy (Lower|Upper) Bound at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z/g;

/** Reads a 422's reason. Null where it does not say which points it means. */
export function suspicionOf(message: string): Suspicion | null {
  return conflictIn(message) ?? retentionIn(message);
}

function conflictIn(message: string): Suspicion | null {
  const [, quotedField = '', quotedMeasurement = '', type, already] = CONFLICT.exec(message) ?? [];
  const field = unquote(quotedField);
  const measurement = unquote(quotedMeasurement);
  if (field === null || measurement === null) return null;
  return {
    suspects: ({ batch, row }) => {
      if (batch.mapping.measurement !== measurement) return false;
      const index = batch.mapping.columns.findIndex(({ name, role }) => role === 'field' && name === field);
      return batch.columns[index]?.type === type && batch.cell(index, row) !== null;
    },
    message:
      `field type conflict: ${quotedField} of measurement ${quotedMeasurement} came as ${type}, but the bucket ` +
      `holds it as ${already}: two schema versions, or another program that writes there, disagree on its type. ` +
      'Give the field its old type or another name in the schema, or write to another bucket, then replay',
  };
}

function retentionIn(message: string): Suspicion | null {
  const bounds = [...message.matchAll(RETENTION_BOUND)].map(([, side, seconds = '', fraction = '']) => ({
    lower: side === 'Lower',
    timeNs: BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0')),
  }));
  if (bounds.length === 0) return null;
  return {
    suspects: ({ batch, row }) => {
      const timeNs = batch.timeNs[row] ?? 0n;
      return bounds.some((bound) => (bound.lower ? timeNs < bound.timeNs : timeNs > bound.timeNs));
    },
    message: `the time lies outside of the bucket's retention period: ${reasonOf(message)}`,
  };
}

/** A text as Go quotes it; null for escapes that only Go knows. */
function unquote(quoted: string): string | null {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return null;
  }
}

/** How each entry of a 400 begins; `': ` ends the line in it. */
const UNPARSED = /(?:^|\n)unable to parse '/;
/** A line may hold what ends it, the short reason behind it hardly ever: so many ends are tried from behind. */
const MAX_ENDS = 8;

/** The points whose lines a 400 names, each with its reason. */
export function refusedLines(part: readonly BodyPoint[], message: string): Map<BodyPoint, string> {
  const bad = new Map<BodyPoint, string>();
  const entries = message.split(UNPARSED).slice(1);
  if (entries.length === 0) return bad;
  const text = new TextDecoder();
  const byLine = new Map(part.map((point) => [text.decode(point.bytes.subarray(0, -1)), point]));
  for (const entry of entries) {
    let end = entry.lastIndexOf("': ");
    for (let tries = 0; tries < MAX_ENDS && end > 0; tries++, end = entry.lastIndexOf("': ", end - 1)) {
      const point = byLine.get(entry.slice(0, end));
      if (point === undefined) continue;
      bad.set(point, entry.slice(end + 3));
      break;
    }
  }
  return bad;
}

/** How many points a partial write left out. Of several shards only the first one's count is told. */
export function droppedCount(message: string): number {
  return Number(/ dropped=(\d+)/.exec(message)?.[1] ?? 0);
}

/** The reason alone. */
export function reasonOf(message: string): string {
  return message
    .replace(/^unable to parse '.*': /s, '')
    .replace(/^.*partial write: /s, '')
    .replace(/ dropped=\d+.*$/s, '')
    .slice(0, 500);
}
