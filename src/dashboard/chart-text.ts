import type { FeedPhase } from './feed.ts';
import { NOTHING, digitsFor, formatCount, formatDigits } from './format.ts';
import type { FieldInfo } from './payloads.ts';

/** The shortest time that the chart spans. */
const MIN_VIEW_MS = 60_000;

/** The words around the chart. */
export interface Drawing {
  phase: FeedPhase;
  /** Points that are drawn, and the slice of time of which only the extremes are; 0 for every point. */
  points: number;
  sliceMs: number;
  /** The time that the chart spans, and the time that was asked for. */
  shownMs: number;
  windowMs: number;
  /** Times that rows were skipped because this page was too slow. */
  gaps: number;
}

/** One line under the chart: where its points come from, and how faithful they are. */
export function noteText({ phase, points, sliceMs, shownMs, windowMs, gaps }: Drawing): string {
  if (phase.name === 'idle') return '';
  if (points === 0) return SOURCES[phase.name];
  const parts = [SOURCES[phase.name], `${formatCount(points)} points`];
  if (sliceMs > 0) parts.push(`down-sampled: lowest and highest of every ${sliceText(sliceMs)}`);
  if (shownMs < windowMs) parts.push(`all there is of the last ${Math.round(windowMs / 60_000)} min`);
  if (gaps > 0) parts.push(`${formatCount(gaps)} ${gaps === 1 ? 'gap' : 'gaps'} in the stream`);
  return parts.join(' · ');
}

const SOURCES: Record<Exclude<FeedPhase['name'], 'idle'>, string> = {
  history: 'Reading history…',
  live: 'History joined to live',
  live_only: 'Live only, history is not readable',
  failed: 'Stopped',
};

/** What is drawn, or would be. */
export interface Subject {
  measurement: string | null;
  /** A field that can be drawn; null where the measurement has none. */
  field: string | null;
  /** Devices that are drawn. */
  devices: number;
  /** Whether the server has told its measurements. */
  isLoaded: boolean;
  /** Where devices connect, `ws://HOST:PORT`. */
  gateway: string;
}

/** What stands where the lines would be. */
export function emptyText(
  phase: FeedPhase,
  { measurement, field, devices, isLoaded, gateway }: Subject,
): string {
  if (!isLoaded) return 'Loading…';
  if (measurement === null) {
    return 'No schema is registered yet: put NAME.avsc into the schema folder (setting schemas) and start again.';
  }
  const name = measurement.replaceAll('_', ' ');
  if (field === null) return `${name} has no number that could be drawn. Its latest values are below.`;
  if (phase.name === 'failed') return `This cannot be drawn: ${phase.message}`;
  if (devices === 0) {
    return `No device is chosen, or none has sent ${name} yet. To see some: npx millrace devices --url ${gateway} --model environment`;
  }
  if (phase.name === 'history') return 'Reading history…';
  return 'No readings in this window yet. They appear here as they arrive.';
}

/** A value of the field among others of which `largest` has the greatest magnitude: all get its digits. */
export function valueText(value: number | undefined, field: FieldInfo | null, largest: number): string {
  if (value === undefined) return NOTHING;
  if (field?.type === 'boolean') return value === 1 ? 'true' : 'false';
  return formatDigits(value, field?.type === 'integer' ? 0 : digitsFor(largest));
}

/** A young stream fills the chart instead of huddling at its edge: where the chart begins. */
export function viewFromMs(toMs: number, windowMs: number, firstMs: number | undefined): number {
  const youngest = toMs - Math.min(windowMs, MIN_VIEW_MS);
  return Math.max(toMs - windowMs, Math.min(firstMs ?? youngest, youngest));
}

function sliceText(sliceMs: number): string {
  return sliceMs < 1_000 ? `${sliceMs} ms` : `${(sliceMs / 1_000).toFixed(1)} s`;
}
