import { confluentIdAt } from '../codec/index.ts';
import { LIMITS, MillraceError } from '../core/index.ts';
import type { RegisteredSchema } from './registry.ts';

/** What is asked about the schemas that there are. */
interface KnownFingerprints {
  readonly size: number;
  byId(id: number): RegisteredSchema | undefined;
  byAnyFingerprint(fingerprint: string): RegisteredSchema | undefined;
  all(): Iterable<RegisteredSchema>;
}

const REGISTER =
  'register the writer\'s schema with "millrace schema register FILE", or by POST to ' +
  '/registry/subjects/SUBJECT/versions, and send again or replay the dead letter';

/**
 * Says of frames whose schema nobody knows what seems to be wrong with them. Refusals may come by the hundred thousand, so
 * that what costs more than a look at the first bytes is done for a few in each second only.
 */
export class UnknownFrames {
  readonly #schemas: KnownFingerprints;
  /** What is known, as text; made when it is first asked for after a change. */
  #known: string | null = null;
  #secondEndsMs = 0;
  #guesses = 0;

  constructor(schemas: KnownFingerprints) {
    this.#schemas = schemas;
  }

  /** The schemas are others now. */
  changed(): void {
    this.#known = null;
  }

  /** For a single-object frame whose fingerprint is unknown. */
  fingerprint(bytes: Uint8Array, start: number, end: number): MillraceError {
    const asSent = Buffer.from(bytes.slice(start + 2, start + 10));
    const bigEndian = asSent.toString('hex');
    const fingerprint = Buffer.from(asSent).reverse().toString('hex');
    const mirrored = this.#schemas.byAnyFingerprint(bigEndian);
    if (mirrored !== undefined) {
      return unknown(
        `no schema has the fingerprint ${fingerprint}, but its bytes are reversed: ${bigEndian} is that of ` +
          `${nameOf(mirrored)}; send the fingerprint little-endian, its last byte first`,
      );
    }
    return unknown(
      `no schema has the fingerprint ${fingerprint}${this.#guess(bytes, start, end)}; ${this.#help()}`,
    );
  }

  /** For a frame in Confluent framing whose id is unknown. */
  id(bytes: Uint8Array, start: number, end: number): MillraceError {
    const id = confluentIdAt(bytes, start);
    const mirrored = this.#schemas.byId(Buffer.from(bytes.slice(start + 1, start + 5)).readUInt32LE());
    if (mirrored !== undefined) {
      return unknown(
        `no schema has the id ${id}, but its bytes are reversed: ${mirrored.id} is that of ${nameOf(mirrored)}; ` +
          'send the id big-endian, its first byte first',
      );
    }
    return unknown(`no schema has the id ${id}${this.#guess(bytes, start, end)}; ${this.#help()}`);
  }

  /** For bytes that begin as no frame; `error` is what the framing said. Other errors come back as they are. */
  framing(error: unknown, bytes: Uint8Array, start: number, end: number): unknown {
    if (!(error instanceof MillraceError) || error.code !== 'frame_framing') return error;
    const guess = looksLike(bytes, start) ?? this.#guess(bytes, start, end);
    return guess === '' ? error : new MillraceError('frame_framing', `${error.message}${guess}`);
  }

  /** Whether it is the record of a known schema, with no header in front. */
  #guess(bytes: Uint8Array, start: number, end: number): string {
    const nowMs = performance.now();
    if (nowMs >= this.#secondEndsMs) {
      this.#secondEndsMs = nowMs + 1_000;
      this.#guesses = 0;
    }
    if (++this.#guesses > LIMITS.frameGuessesPerS) return '';
    const like = this.#newest(LIMITS.frameGuessSchemas).find(
      // Of a large one the code that reads it would be long in the making.
      ({ compiled }) => compiled.mapping.columns.length <= 100 && isRecord(compiled, bytes, start, end),
    );
    if (like === undefined) return '';
    return (
      `; the message looks like the body of ${nameOf(like)} without its header: ` +
      `put C3 01 and the fingerprint ${like.compiled.fingerprint}, last byte first, in front of it`
    );
  }

  #help(): string {
    this.#known ??= this.#describeKnown();
    return this.#known;
  }

  #describeKnown(): string {
    const { size } = this.#schemas;
    if (size === 0) return `no schema is registered yet: ${REGISTER}`;
    const shown = this.#newest(LIMITS.knownFingerprintsShown);
    const names = shown.map((schema) => `${schema.compiled.fingerprint} (${nameOf(schema)})`);
    const more = size > shown.length ? ` and ${size - shown.length} more` : '';
    return `known are ${names.join(', ')}${more}; ${REGISTER}`;
  }

  #newest(count: number): RegisteredSchema[] {
    return [...this.#schemas.all()].slice(-count).reverse();
  }
}

function looksLike(bytes: Uint8Array, start: number): string | null {
  const first = Buffer.from(bytes.slice(start, start + 4)).toString('latin1');
  if (first === 'Obj\x01') return '; it looks like an object container file, which goes to POST /v1/frames';
  if (/^\s*[[{]/.test(first)) {
    return '; it looks like JSON: frames are binary Avro, and JSON goes to POST /v1/frames';
  }
  return null;
}

function isRecord(
  compiled: RegisteredSchema['compiled'],
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  try {
    compiled.survey(bytes, start, end);
    return true;
  } catch {
    return false;
  }
}

function nameOf({ compiled }: RegisteredSchema): string {
  return compiled.mapping.measurement;
}

function unknown(message: string): MillraceError {
  return new MillraceError('schema_unknown', message);
}
