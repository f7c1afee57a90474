import { confluentIdAt, framingOf, wordLE } from '../codec/index.ts';
import { CONFLUENT_HEADER_BYTES, SINGLE_OBJECT_HEADER_BYTES } from '../codec/index.ts';
import { MillraceError } from '../core/index.ts';
import type { RegisteredSchema, ResolvedFrame } from './registry.ts';

interface Fingerprinted {
  /** The upper 32 bits of the fingerprint. */
  high: number;
  resolved: ResolvedFrame;
}

/**
 * Schemas in memory, by id and by fingerprint. A frame finds its schema by two 32-bit words: nothing is
 * built on the way.
 */
export class SchemaIndex {
  readonly #byId = new Map<number, ResolvedFrame>();
  /** By the lower 32 bits of the fingerprint; nearly always one entry each. */
  readonly #byLow = new Map<number, Fingerprinted[]>();

  add(schema: RegisteredSchema): void {
    this.#byId.set(schema.id, { schema, bodyStart: CONFLUENT_HEADER_BYTES });
    const { fingerprint } = schema.compiled;
    const high = Number.parseInt(fingerprint.slice(0, 8), 16) | 0;
    const low = Number.parseInt(fingerprint.slice(8), 16) | 0;
    const entries = this.#byLow.get(low) ?? [];
    // Schemas of one fingerprint have one mapping, so the first one serves them all.
    if (!entries.some((entry) => entry.high === high)) {
      entries.push({ high, resolved: { schema, bodyStart: SINGLE_OBJECT_HEADER_BYTES } });
    }
    this.#byLow.set(low, entries);
  }

  get size(): number {
    return this.#byId.size;
  }

  byId(id: number): RegisteredSchema | undefined {
    return this.#byId.get(id)?.schema;
  }

  byFingerprint(fingerprint: string): RegisteredSchema | undefined {
    const high = Number.parseInt(fingerprint.slice(0, 8), 16) | 0;
    const low = Number.parseInt(fingerprint.slice(8), 16) | 0;
    return this.#byLow.get(low)?.find((entry) => entry.high === high)?.resolved.schema;
  }

  /** See Registry.resolve. */
  resolve(bytes: Uint8Array, start: number, end: number): ResolvedFrame {
    let found: ResolvedFrame | undefined;
    if (framingOf(bytes, start, end) === 'single-object') {
      const high = wordLE(bytes, start + 6);
      found = this.#byLow.get(wordLE(bytes, start + 2))?.find((entry) => entry.high === high)?.resolved;
    } else {
      found = this.#byId.get(confluentIdAt(bytes, start));
    }
    if (found === undefined) throw unknownSchema(bytes, start);
    return start === 0 ? found : { schema: found.schema, bodyStart: start + found.bodyStart };
  }
}

function unknownSchema(bytes: Uint8Array, start: number): MillraceError {
  const name =
    bytes[start] === 0
      ? `id ${confluentIdAt(bytes, start)}`
      : `fingerprint ${Buffer.from(bytes.subarray(start + 2, start + SINGLE_OBJECT_HEADER_BYTES))
          .reverse()
          .toString('hex')}`;
  return new MillraceError('schema_unknown', `no schema with ${name} is registered`);
}
