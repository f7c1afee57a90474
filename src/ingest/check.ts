import { createHash } from 'node:crypto';
import { MillraceError } from '../core/index.ts';
import { asMillraceError } from '../net/index.ts';
import type { Registry } from '../registry/index.ts';

/** How a refused frame's bytes were found: 1 reading where they are no record. */
export interface RefusedFrame {
  error: MillraceError;
  /** Readings that it stands for in the ledger. */
  readings: number;
}

/** Checks a frame and returns its number of readings; throws the refusal. `nowMs` is the time of arrival. */
export function checkFrame(
  registry: Pick<Registry, 'resolve'>,
  bytes: Uint8Array,
  device: string,
  nowMs: number,
): number {
  const { schema, bodyStart } = registry.resolve(bytes, 0, bytes.length);
  return schema.compiled.check(bytes, bodyStart, bytes.length, device, nowMs);
}

/**
 * Names a frame's record by its bytes, so that one that is sent again is known: 16 bytes of a SHA-256 over the schema's
 * fingerprint and the body, as latin1. The framing does not count. Null where points get their time from the
 * arrival: then the same bytes are another measurement. The frame must have passed its check.
 */
export function contentOf(registry: Pick<Registry, 'resolve'>, bytes: Uint8Array): string | null {
  const { schema, bodyStart } = registry.resolve(bytes, 0, bytes.length);
  const { compiled } = schema;
  if (!compiled.survey(bytes, bodyStart, bytes.length).timed) return null;
  const hash = createHash('sha256').update(compiled.fingerprint).update(bytes.subarray(bodyStart));
  return hash.digest().toString('latin1', 0, 16);
}

/** What to count and tell of a frame whose check threw. */
export function refusedFrame(
  registry: Pick<Registry, 'resolve'>,
  bytes: Uint8Array,
  thrown: unknown,
): RefusedFrame {
  return { error: asMillraceError(thrown), readings: readingsOf(registry, bytes) };
}

function readingsOf(registry: Pick<Registry, 'resolve'>, bytes: Uint8Array): number {
  try {
    const { schema, bodyStart } = registry.resolve(bytes, 0, bytes.length);
    // A record without readings is refused as one frame all the same.
    return Math.max(1, schema.compiled.survey(bytes, bodyStart, bytes.length).readings);
  } catch (error) {
    if (error instanceof MillraceError) return 1;
    throw error;
  }
}
