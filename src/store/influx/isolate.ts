import type { RefusedPoint } from '../store.ts';
import type { Point } from './points.ts';
import type { WriteReply } from './transport.ts';

/**
 * Writes points with `send` and returns those that the server refuses for good, so that a bad one costs
 * neither its neighbours nor the rest of the batch. Every step writes a part, takes points out of it, or
 * halves it, hence it ends. What was written may be written again meanwhile: points are idempotent, and no
 * two of them share series and time.
 */
export async function writeIsolating(
  points: readonly Point[],
  send: (lines: string) => Promise<WriteReply>,
): Promise<RefusedPoint[]> {
  const refused: RefusedPoint[] = [];
  const waiting: (readonly Point[])[] = [points];
  const refuse = (bad: readonly Point[], message: (point: Point) => string): void => {
    for (const point of bad) {
      if (point.parts === null) refused.push({ ...point.ref, message: message(point) });
      // Of rows merged into one line only some may be bad: each is tried alone, in order.
      else for (const part of point.parts.toReversed()) waiting.push([part]);
    }
  };
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    if (part.length === 0) continue;
    const { status, message } = await send(part.map((point) => point.line).join('\n'));
    if (status === 204) continue;
    if (status === 400) {
      const bad = refusedLines(part, message);
      if (bad.size > 0) {
        waiting.push(part.filter((point) => !bad.has(point)));
        refuse([...bad.keys()], (point) => bad.get(point) ?? message);
        continue;
      }
    }
    const all = status === 422 && droppedCount(message) >= part.length;
    if (part.length === 1 || all) {
      refuse(part, () => explain(message));
      continue;
    }
    const middle = part.length >> 1;
    waiting.push(part.slice(middle), part.slice(0, middle));
  }
  return refused;
}

/** How each entry of a 400 begins; `': ` ends the line in it. */
const UNPARSED = /(?:^|\n)unable to parse '/;
/** A line may hold what ends it, the short reason behind it hardly ever: so many ends are tried from behind. */
const MAX_ENDS = 8;

/** The points whose lines a 400 names, each with its reason. */
function refusedLines(part: readonly Point[], message: string): Map<Point, string> {
  const byLine = new Map(part.map((point) => [point.line, point]));
  const bad = new Map<Point, string>();
  for (const entry of message.split(UNPARSED).slice(1)) {
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
function droppedCount(message: string): number {
  return Number(/dropped=(\d+)/.exec(message)?.[1] ?? 0);
}

/** The reason alone, with what it means where it is known. */
function explain(message: string): string {
  const reason = message
    .replace(/^unable to parse '.*': /s, '')
    .replace(/^.*partial write: /s, '')
    .replace(/ dropped=\d+$/, '')
    .slice(0, 500);
  if (!reason.startsWith('field type conflict')) return reason;
  return `${reason}; the bucket holds this field with another type, so the points cannot stand beside each other`;
}
