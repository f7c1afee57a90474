import { ColumnBatch, Slice, type Cell } from '../core/index.ts';
import type { FollowedJournal, JournalFrame } from '../journal/index.ts';
import type { Registry } from '../registry/index.ts';

/** A point that the store must have, as its frame says. */
export interface SampledPoint {
  timeNs: bigint;
  /** By name; a missing one is left out. */
  tags: ReadonlyMap<string, string>;
}

/** A frame of the journal with its points. */
export interface SampledFrame {
  position: number;
  device: string;
  measurement: string;
  bytes: Uint8Array;
  points: SampledPoint[];
}

/** Places in the journal that one sample looks at: each costs a read of a block. */
const PLACES = 8;
/** A frame of many bytes counts as more points than it has, since they are held. */
const BYTES_OF_A_POINT = 8_192;

/** Frames at random places before `end`, with about `maxPoints` points together. */
export async function sampleFrames(
  journal: Pick<FollowedJournal, 'read' | 'tail'>,
  registry: Pick<Registry, 'resolve'>,
  end: number,
  maxPoints: number,
  random: () => number,
): Promise<SampledFrame[]> {
  const frames = new Map<number, SampledFrame>();
  const slice = new Slice();
  for (let place = 0; place < PLACES; place++) {
    await slice.pause();
    const tail = journal.tail();
    const position = tail + Math.floor(random() * (end - tail));
    if (position >= end) break;
    let left = Math.ceil(maxPoints / PLACES);
    for (const frame of journal.read(position)?.frames(position) ?? []) {
      if (left <= 0 || frame.position >= end) break;
      const sampled = decode(frame, registry, left);
      left -= 1;
      if (sampled === null) continue;
      left -= Math.max(sampled.points.length, frame.bytes.length / BYTES_OF_A_POINT);
      frames.set(frame.position, sampled);
    }
  }
  return [...frames.values()];
}

/** Null for a frame without a schema: it is a dead letter, or the registry was lost, which others tell. */
function decode(
  { bytes, device, arrivalMs, position }: JournalFrame,
  registry: Pick<Registry, 'resolve'>,
  maxPoints: number,
): SampledFrame | null {
  let resolved;
  try {
    resolved = registry.resolve(bytes, 0, bytes.length);
  } catch {
    return null;
  }
  const { compiled } = resolved.schema;
  const columns = new ColumnBatch(compiled.mapping, 16);
  compiled.decode(bytes, resolved.bodyStart, bytes.length, columns, device, arrivalMs, position);
  return {
    position,
    device,
    measurement: compiled.mapping.measurement,
    bytes: bytes.slice(),
    points: pointsOf(columns).slice(0, Math.ceil(maxPoints)),
  };
}

function pointsOf(columns: ColumnBatch): SampledPoint[] {
  const points: SampledPoint[] = [];
  for (let row = 0; row < columns.rows; row++) {
    const tags = new Map<string, string>();
    for (const [index, { def }] of columns.columns.entries()) {
      const value = columns.cell(index, row);
      if (def.role === 'tag' && typeof value === 'string') tags.set(def.name, value);
    }
    points.push({ timeNs: columns.timeNs[row] ?? 0n, tags });
  }
  return points;
}

/** The key of a point among those of its device and measurement. `tagNames` in a fixed order. */
export function pointKey(timeNs: Cell, tags: readonly Cell[]): string {
  return JSON.stringify([String(timeNs), ...tags.map((value) => (value === '' ? null : value))]);
}
