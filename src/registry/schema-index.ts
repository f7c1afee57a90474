import {
  CONFLUENT_HEADER_BYTES,
  SINGLE_OBJECT_HEADER_BYTES,
  confluentIdAt,
  encodeSingleObjectHeader,
  framingOf,
  wordLE,
} from '../codec/index.ts';
import { MillraceError } from '../core/index.ts';
import type { RegisteredSchema, ResolvedFrame } from './registry.ts';

interface FingerprintEntry {
  low: number;
  high: number;
  schema: RegisteredSchema;
}

/**
 * Schemas by id and by fingerprint. A frame's fingerprint is compared as two 32-bit words in a hash table,
 * so that finding a schema costs the same among one and among thousands and builds neither string nor bigint.
 */
export class SchemaIndex {
  readonly #byId = new Map<number, RegisteredSchema>();
  /** By the lower 30 bits of the fingerprint, which are a small integer for the engine. */
  readonly #byFingerprint = new Map<number, FingerprintEntry[]>();
  /** Found last: mostly it is what the next frame has, too. */
  #last: FingerprintEntry | null = null;

  get size(): number {
    return this.#byId.size;
  }

  byId(id: number): RegisteredSchema | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<RegisteredSchema> {
    return this.#byId.values();
  }

  /** The newest schema of a fingerprint in hex. */
  byFingerprint(fingerprint: string): RegisteredSchema | undefined {
    const header = encodeSingleObjectHeader(fingerprint);
    return this.#find(wordLE(header, 2), wordLE(header, 6));
  }

  /** Adds a schema; of two with one fingerprint the newer is found by it. */
  add(schema: RegisteredSchema): void {
    this.#byId.set(schema.id, schema);
    const header = encodeSingleObjectHeader(schema.compiled.fingerprint);
    const low = wordLE(header, 2);
    const high = wordLE(header, 6);
    const entries = this.#byFingerprint.get(low & 0x3fffffff) ?? [];
    const same = entries.find((entry) => entry.low === low && entry.high === high);
    if (same === undefined) entries.push({ low, high, schema });
    else same.schema = schema;
    this.#byFingerprint.set(low & 0x3fffffff, entries);
  }

  /** See Registry.resolve. */
  resolve(bytes: Uint8Array, start: number, end: number): ResolvedFrame {
    if (framingOf(bytes, start, end) === 'single-object') {
      const low = wordLE(bytes, start + 2);
      const high = wordLE(bytes, start + 6);
      const schema = this.#find(low, high);
      if (schema === undefined) {
        const fingerprint = Buffer.from(bytes.slice(start + 2, start + 10))
          .reverse()
          .toString('hex');
        throw new MillraceError('schema_unknown', `no schema has the fingerprint ${fingerprint}`);
      }
      return { schema, bodyStart: start + SINGLE_OBJECT_HEADER_BYTES };
    }
    const id = confluentIdAt(bytes, start);
    const schema = this.#byId.get(id);
    if (schema === undefined) throw new MillraceError('schema_unknown', `no schema has the id ${id}`);
    return { schema, bodyStart: start + CONFLUENT_HEADER_BYTES };
  }

  #find(low: number, high: number): RegisteredSchema | undefined {
    if (this.#last?.low === low && this.#last.high === high) return this.#last.schema;
    const entries = this.#byFingerprint.get(low & 0x3fffffff);
    if (entries === undefined) return undefined;
    for (const entry of entries) {
      if (entry.low !== low || entry.high !== high) continue;
      this.#last = entry;
      return entry.schema;
    }
    return undefined;
  }
}
