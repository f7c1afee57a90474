import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { LIMITS, NS_PER_MS, parseDurationMs, parseRfc3339Ns } from '../core/index.ts';

/** `512MiB`, `4GiB`, `1000000`: a number of bytes; null for anything else. */
function parseBytes(text: string): number | null {
  const match = /^(\d{1,15})\s*(B|KiB|MiB|GiB|TiB|KB|MB|GB|TB)?$/i.exec(text.trim());
  if (match === null) return null;
  const unit = (match[2] ?? 'B').toLowerCase();
  const power = ['b', 'k', 'm', 'g', 't'].indexOf(unit[0] ?? 'b');
  const bytes = Number(match[1]) * (unit.includes('i') ? 1024 : 1000) ** power;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);
export const bytes = (min: number) =>
  z.string().transform((text, context) => {
    const value = parseBytes(text);
    if (value !== null && value >= min) return value;
    context.addIssue('not a size');
    return z.NEVER;
  });
export const duration = (minMs: number) =>
  z.string().transform((text, context) => {
    const value = parseDurationMs(text);
    if (value !== null && value >= minMs) return value;
    context.addIssue('not a duration');
    return z.NEVER;
  });
/** A day, or RFC 3339, in milliseconds since the UTC epoch: 1970 or later. */
export const instant = z.string().transform((text, context) => {
  const timeNs = parseRfc3339Ns(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (timeNs !== null && timeNs >= 0n) return Number(timeNs / NS_PER_MS);
  context.addIssue('not a time');
  return z.NEVER;
});
export const processes = z.union([
  wholeNumber(1, LIMITS.maxProcesses),
  z.literal('auto').transform(() => Math.min(availableParallelism(), LIMITS.maxProcesses)),
]);
/** A user and a password in it are left out: nothing here uses them, and what is left may be told to anybody. */
export const url = z
  .string()
  .refine((text) => /^https?:\/\//.test(text) && URL.canParse(text))
  .transform((text) => {
    const { username, password, host } = new URL(text);
    return username === '' && password === '' ? text : text.replace(/^(https?:\/\/)[^/?#]*/i, `$1${host}`);
  });

/** A text as it may be told to anybody: without what stands before an @, which may be a password in a URL, whole or not. */
export function withoutUser(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1(hidden)@');
}

export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
export const text = z.string().min(1);

/** One setting: where it may come from, what it must be (in words), and what it is when nobody says. */
export interface Setting<T> {
  env: string | null;
  schema: z.ZodType<T, string>;
  expected: string;
  fallback: T;
  help: string;
  /** Its value is never printed; of a URL with a secret user only the user and the password are not. */
  secret?: boolean | 'user';
}

export const setting = <T>(
  env: string | null,
  schema: z.ZodType<T, string>,
  expected: string,
  fallback: T,
  help: string,
  secret: boolean | 'user' = false,
): Setting<T> => ({ env, schema, expected, fallback, help, secret });

export const optional = <T>(schema: z.ZodType<T, string>): z.ZodType<T | null, string> => schema;

export type ValueOf<S> = S extends Setting<infer T> ? T : never;
