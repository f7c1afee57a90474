import { LIMITS, MillraceError, type ColumnBatch } from '../core/index.ts';
import { parseAvroSchema } from './avro-schema.ts';
import type { CompiledSchema } from './compiled.ts';
import { aliasesOf, canonicalFormOf, crc64Avro } from './fingerprint.ts';
import { generateCheck, generateSurvey, type FrameSurvey } from './generate-check.ts';
import { generateDecode } from './generate-decode.ts';
import { mapSchema } from './mapping.ts';
import { shapeOf } from './plan.ts';
import { LAST_MS } from './time-units.ts';

/** Bounds of the readings' times; LIMITS has the defaults. */
export interface TimeBounds {
  /** The earliest time, in milliseconds since the UTC epoch, 0 or more. */
  minTimeMs?: number;
  /** How far ahead of the time of receipt a time may lie. */
  maxTimeAheadMs?: number;
}

/**
 * Parses a record schema (Avro's JSON), maps it to time series and makes it ready for frames. The code for
 * the bytes is generated at the first frame. Throws `schema_invalid` or `schema_unmappable`, whose message
 * and path name the field.
 */
export function compileSchema(text: string, bounds: TimeBounds = {}): CompiledSchema {
  const type = parseAvroSchema(text, { defaults: true });
  const plan = mapSchema(type);
  const { mapping } = plan;
  const canonicalForm = canonicalFormOf(type);
  const { minTimeMs = LIMITS.minTimeMs, maxTimeAheadMs = LIMITS.maxTimeAheadMs } = bounds;
  let checkRecord = (...args: Parameters<typeof checkFirst>): number => checkFirst(...args);
  let surveyRecord = (...args: Parameters<typeof surveyFirst>): FrameSurvey => surveyFirst(...args);
  let decodeRecord = (...args: Parameters<typeof decodeFirst>): number => decodeFirst(...args);

  function checkFirst(
    bytes: Uint8Array,
    start: number,
    end: number,
    device: string,
    earliestMs: number,
    latestMs: number,
  ): number {
    checkRecord = generateCheck(plan);
    return checkRecord(bytes, start, end, device, earliestMs, latestMs);
  }

  function surveyFirst(bytes: Uint8Array, start: number, end: number): FrameSurvey {
    surveyRecord = generateSurvey(plan);
    return surveyRecord(bytes, start, end);
  }

  function decodeFirst(
    bytes: Uint8Array,
    start: number,
    into: ColumnBatch,
    device: string,
    arrivalMs: number,
    position: number,
  ): number {
    decodeRecord = generateDecode(plan);
    return decodeRecord(bytes, start, into, device, arrivalMs, position);
  }

  return {
    fingerprint: crc64Avro(Buffer.from(canonicalForm)),
    aliases: aliasesOf(type),
    canonicalForm,
    mapping,
    shape: shapeOf(plan),
    objection: plan.objection,
    check(bytes, start, end, device, nowMs) {
      return checkRecord(bytes, start, end, device, minTimeMs, Math.min(nowMs + maxTimeAheadMs, LAST_MS));
    },
    survey: (bytes, start, end) => surveyRecord(bytes, start, end),
    decode(bytes, start, _end, into, device, arrivalMs, position) {
      if (into.mapping !== mapping) {
        throw new MillraceError('internal', `the batch is of another schema than ${mapping.measurement}`);
      }
      return decodeRecord(bytes, start, into, device, arrivalMs, position);
    },
  };
}
