import { MillraceError } from './errors.ts';

/** Time inside Millrace is a bigint of nanoseconds since the UTC epoch, from 1970 to the year 2262. */
export const NS_PER_MS = 1_000_000n;
export const MAX_TIME_NS = 9_223_372_036_854_775_807n;

const UNIT_NS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: NS_PER_MS,
  s: 1_000n * NS_PER_MS,
  m: 60_000n * NS_PER_MS,
  h: 3_600_000n * NS_PER_MS,
  d: 86_400_000n * NS_PER_MS,
  w: 604_800_000n * NS_PER_MS,
};

/** `30s`, `15m`, `12h`, `30d`, `250ms` … as nanoseconds; null for anything else. */
export function parseDurationNs(text: string): bigint | null {
  const match = /^(\d{1,12})(ns|us|ms|s|m|h|d|w)$/.exec(text);
  if (match === null) return null;
  return BigInt(match[1] ?? '0') * (UNIT_NS[match[2] ?? ''] ?? 0n);
}

/** A duration in milliseconds; null for anything that is no duration. */
export function parseDurationMs(text: string): number | null {
  const ns = parseDurationNs(text);
  return ns === null ? null : Number(ns) / 1e6;
}

/** How a point in time may be written, in words. */
export const TIME_FORMS = 'RFC 3339, "now", a duration back such as "-15m", or epoch milliseconds';

/**
 * A point in time as the contract writes it, brought into the times that a store can hold.
 * Throws `parameter_invalid` that names the parameter.
 */
export function parseTimeNs(text: string, name: string, nowNs: bigint): bigint {
  // A plus sign that nobody encoded arrives as a space.
  const ns = readTimeNs(text.replace(/ (\d{2}:\d{2})$/, '+$1'), nowNs);
  if (ns !== null) return ns < 0n ? 0n : ns > MAX_TIME_NS ? MAX_TIME_NS : ns;
  throw new MillraceError('parameter_invalid', `${name}: expected ${TIME_FORMS}, got "${text.slice(0, 60)}"`);
}

function readTimeNs(text: string, nowNs: bigint): bigint | null {
  if (text === 'now') return nowNs;
  if (text.startsWith('-') || text.startsWith('now-')) {
    const ns = parseDurationNs(text.replace(/^(now)?-/, ''));
    return ns === null ? null : nowNs - ns;
  }
  return /^\d{1,15}$/.test(text) ? BigInt(text) * NS_PER_MS : parseRfc3339Ns(text);
}

/** RFC 3339 with up to nine fractional digits; null for anything else, an impossible date included. */
export function parseRfc3339Ns(text: string): bigint | null {
  const match = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})$/.exec(
    text,
  );
  if (match === null) return null;
  const [, date = '', clock = '', fraction = '', zone = 'Z'] = match;
  const utcMs = Date.parse(`${date}T${clock}Z`);
  const ms = Date.parse(`${date}T${clock}${zone.toUpperCase()}`);
  if (Number.isNaN(ms) || Number.isNaN(utcMs)) return null;
  // Date.parse rolls 31 February over into March: an honest parse keeps the day.
  if (new Date(utcMs).toISOString().slice(0, 10) !== date) return null;
  return BigInt(ms) * NS_PER_MS + BigInt(fraction.padEnd(9, '0'));
}

/** RFC 3339 in UTC at full precision: no, three, six or nine fractional digits, the fewest that are exact. */
export function formatTimeNs(timeNs: bigint): string {
  const ms = timeNs / NS_PER_MS - (timeNs % NS_PER_MS < 0n ? 1n : 0n);
  const subMs = timeNs - ms * NS_PER_MS;
  const iso = new Date(Number(ms)).toISOString();
  if (subMs === 0n) return iso.endsWith('.000Z') ? `${iso.slice(0, -5)}Z` : iso;
  const digits = subMs.toString().padStart(6, '0');
  return `${iso.slice(0, -1)}${digits.endsWith('000') ? digits.slice(0, 3) : digits}Z`;
}

/** Writes times as formatTimeNs does, faster where times of one second follow each other. */
export function timeFormatter(): (timeNs: bigint) => string {
  let secondNs = 0n;
  let second = '1970-01-01T00:00:00';
  return (timeNs) => {
    let restNs = Number(timeNs - secondNs);
    if (restNs < 0 || restNs >= NS_PER_S) {
      restNs = Number(((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
      secondNs = timeNs - BigInt(restNs);
      second = formatTimeNs(secondNs).slice(0, -1);
    }
    if (restNs === 0) return `${second}Z`;
    if (restNs % 1_000_000 === 0) return `${second}.${String(restNs / 1_000_000).padStart(3, '0')}Z`;
    if (restNs % 1_000 === 0) return `${second}.${String(restNs / 1_000).padStart(6, '0')}Z`;
    return `${second}.${String(restNs).padStart(9, '0')}Z`;
  };
}

const NS_PER_S = 1e9;

/** The wall clock, in one place so that tests can replace it. */
export interface Clock {
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };

/** Answers of a TurnClock for one look at its clock, at most. */
const ANSWERS_PER_LOOK = 64;

/**
 * A clock for what is asked once per frame: it looks at another one once in a turn of the event loop, and again after
 * each 64 answers, since a look costs as much as finding a frame's schema.
 */
export class TurnClock implements Clock {
  readonly #clock: Clock;
  #nowMs = 0;
  /** Answers left before the next look. */
  #left = 0;
  #turnEnds = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    if (this.#left === 0) this.#look();
    this.#left--;
    return this.#nowMs;
  }

  #look(): void {
    this.#nowMs = this.#clock.nowMs();
    this.#left = ANSWERS_PER_LOOK;
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    setImmediate(() => {
      this.#turnEnds = false;
      this.#left = 0;
    });
  }
}

/** For durations: it never jumps, and its zero means nothing. */
export const steadyClock: Clock = { nowMs: () => performance.now() };
