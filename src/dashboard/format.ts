/** Numbers, sizes and times as the page writes them: English, 24 hours, the reader's time zone. */
const LOCALE = 'en';
const COUNT = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const ONE_DIGIT = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 });
const FIGURES = 4;
const MOST_FIGURES = 15;
/** Logarithms of powers of ten are a little off. */
const STEP_SLACK = 1e-9;
const BY_DIGITS = [0, 1, 2, 3, 4, 5, 6].map(
  (digits) => new Intl.NumberFormat(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
);
const CLOCK = new Intl.DateTimeFormat(LOCALE, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const CLOCK_MINUTES = new Intl.DateTimeFormat(LOCALE, {
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

/** What stands where there is no value. */
export const NOTHING = '–';

export function formatCount(value: number): string {
  return COUNT.format(value);
}

/** A rate: whole numbers, but one decimal where the number is small enough for it to matter. */
export function formatRate(perSecond: number): string {
  return perSecond < 100 ? ONE_DIGIT.format(perSecond) : COUNT.format(perSecond);
}

/** Milliseconds, without the unit. */
export function formatMs(ms: number): string {
  return ms < 10 ? ONE_DIGIT.format(ms) : COUNT.format(ms);
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A size as number and unit, apart, so that the unit can be set smaller. */
export function splitBytes(bytes: number): { value: string; unit: string } {
  let scaled = bytes;
  let index = 0;
  while (scaled >= 1024 && index < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    index += 1;
  }
  const value = index > 0 && scaled < 100 ? ONE_DIGIT.format(scaled) : COUNT.format(scaled);
  return { value, unit: BYTE_UNITS[index] ?? 'B' };
}

export function formatBytes(bytes: number): string {
  const { value, unit } = splitBytes(bytes);
  return `${value} ${unit}`;
}

/** How long ago, in the largest unit that fits: `now`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function formatAge(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 2) return 'now';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** A running time of the form `3 d 4 h`, `4 h 12 min`, `12 min`, `45 s`. */
export function formatUptime(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3_600);
  const minutes = Math.floor((seconds % 3_600) / 60);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

/** Time of day to the second. */
export function formatClock(timeMs: number): string {
  return CLOCK.format(timeMs);
}

/** Time of day for an axis whose labels are `stepMs` apart. */
export function formatTick(timeMs: number, stepMs: number): string {
  return stepMs < 60_000 ? CLOCK.format(timeMs) : CLOCK_MINUTES.format(timeMs);
}

/** Decimals that show about four figures of numbers up to this magnitude. */
export function digitsFor(largest: number): number {
  if (largest >= 100) return 1;
  if (largest >= 10) return 2;
  return largest >= 0.1 || largest === 0 ? 3 : 3 - Math.ceil(Math.log10(largest));
}

/** With so many decimals; where they are more than an eye counts, as a power of ten with four figures. */
export function formatDigits(value: number, digits: number): string {
  const plain = BY_DIGITS[Math.max(0, digits)];
  if (plain !== undefined) return plain.format(value);
  return value === 0 ? '0' : value.toExponential(FIGURES - 1).replaceAll('-', '−');
}

/** The value at a line of an axis whose lines are `step` apart. */
export function formatAxisValue(value: number, step: number): string {
  const digits = Math.max(0, -Math.floor(Math.log10(step) + STEP_SLACK));
  const plain = BY_DIGITS[digits];
  if (plain !== undefined) return plain.format(value);
  const figures = value === 0 ? 0 : Math.max(0, Math.floor(Math.log10(Math.abs(value))) + digits);
  return value === 0 ? '0' : value.toExponential(Math.min(figures, MOST_FIGURES)).replaceAll('-', '−');
}

/** Orders names as people do: sensor-2 before sensor-10. */
export const byName = new Intl.Collator(LOCALE, { numeric: true }).compare;

/**
 * RFC 3339 as milliseconds since the UTC epoch, with the digits after the third kept as a fraction.
 * NaN for anything else.
 */
export function parseTimeMs(text: string): number {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  if (fraction.length <= 3) return Date.parse(text);
  const whole = Date.parse(text.replace(/\.\d+/, `.${fraction.slice(0, 3)}`));
  return whole + Number(`0.${fraction.slice(3)}`);
}
