import { createHash } from 'node:crypto';
import type { ErrorCode, MillraceError } from '../core/index.ts';
import { asMillraceError } from '../net/index.ts';
import type { Registry, ResolvedFrame } from '../registry/index.ts';

/** A frame whose check threw: why, and for how many readings it stands in the ledger. */
export interface FrameRefusal {
  error: MillraceError;
  readings: number;
}

type Schemas = Pick<Registry, 'resolve'>;

/** Checks a frame and returns its number of readings; throws the refusal. `nowMs` is the time of arrival. */
export function checkFrame(registry: Schemas, bytes: Uint8Array, device: string, nowMs: number): number {
  const { schema, bodyStart } = registry.resolve(bytes, 0, bytes.length);
  return schema.compiled.check(bytes, bodyStart, bytes.length, device, nowMs);
}

/**
 * The same for a frame without a number, with the name by which its record is known when it comes again. `place` names
 * it within a request that has a name of its own; null where there is none.
 */
export function checkUnnumbered(
  registry: Schemas,
  bytes: Uint8Array,
  device: string,
  nowMs: number,
  place: string | null,
): { readings: number; content: string | null } {
  const resolved = registry.resolve(bytes, 0, bytes.length);
  const { schema, bodyStart } = resolved;
  const readings = schema.compiled.check(bytes, bodyStart, bytes.length, device, nowMs);
  return { readings, content: contentOf(resolved, bytes, place) };
}

/**
 * 16 bytes of a SHA-256 over the schema's fingerprint and the body, as latin1. The framing does not count. Where points
 * get their time from the arrival the same bytes may be another measurement: then the place counts too, and without one
 * the record has no name.
 */
function contentOf(
  { schema, bodyStart }: ResolvedFrame,
  bytes: Uint8Array,
  place: string | null,
): string | null {
  const { compiled } = schema;
  const hash = createHash('sha256');
  if (!compiled.survey(bytes, bodyStart, bytes.length).timed) {
    if (place === null) return null;
    hash.update(place).update('\0');
  }
  hash.update(compiled.fingerprint).update(bytes.subarray(bodyStart));
  return hash.digest().toString('latin1', 0, 16);
}

/** Codes of bytes of which nobody knows the schema. */
const NO_RECORD: ReadonlySet<ErrorCode> = new Set(['frame_empty', 'frame_framing', 'schema_unknown']);

/** What to count and tell of a frame whose check threw. */
export function refusedFrame(registry: Schemas, bytes: Uint8Array, thrown: unknown): FrameRefusal {
  const error = asMillraceError(thrown);
  return { error, readings: NO_RECORD.has(error.code) ? 1 : readingsOf(registry, bytes) };
}

/** A frame whose bytes are no record counts as one, and so does a record without readings. */
function readingsOf(registry: Schemas, bytes: Uint8Array): number {
  try {
    const { schema, bodyStart } = registry.resolve(bytes, 0, bytes.length);
    return Math.max(1, schema.compiled.survey(bytes, bodyStart, bytes.length).readings);
  } catch {
    // Why it is refused is known already.
    return 1;
  }
}
