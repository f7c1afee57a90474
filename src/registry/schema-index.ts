import {
  CONFLUENT_HEADER_BYTES,
  SINGLE_OBJECT_HEADER_BYTES,
  confluentIdAt,
  encodeSingleObjectHeader,
  framingOf,
  wordLE,
} from '../codec/index.ts';
import type { RegisteredSchema, ResolvedFrame } from './registry.ts';
import { UnknownFrames } from './unknown-frames.ts';

interface FingerprintEntry {
  low: number;
  high: number;
  schema: RegisteredSchema;
  /** It is one of the schema's aliases, not its fingerprint. */
  isAlias: boolean;
}

/**
 * Schemas by id, by fingerprint and by the aliases of it. A frame's fingerprint is compared as two 32-bit words in a hash
 * table, so that finding a schema costs the same among one and among thousands and builds neither string nor bigint.
 */
export class SchemaIndex {
  readonly #byId = new Map<number, RegisteredSchema>();
  /** By the lower 30 bits of the fingerprint, which are a small integer for the engine. */
  readonly #byFingerprint = new Map<number, FingerprintEntry[]>();
  /** Found last: mostly it is what the next frame has, too. */
  #last: FingerprintEntry | null = null;
  readonly #unknown = new UnknownFrames(this);

  get size(): number {
    return this.#byId.size;
  }

  byId(id: number): RegisteredSchema | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<RegisteredSchema> {
    return this.#byId.values();
  }

  /** The newest schema that truly has a fingerprint in hex. */
  byFingerprint(fingerprint: string): RegisteredSchema | undefined {
    const entry = this.#entry(fingerprint);
    return entry === undefined || entry.isAlias ? undefined : entry.schema;
  }

  /** The schema whose alias a fingerprint in hex is, unless another one truly has it. */
  byAlias(fingerprint: string): RegisteredSchema | undefined {
    const entry = this.#entry(fingerprint);
    return entry?.isAlias === true ? entry.schema : undefined;
  }

  /** The schema that frames with a fingerprint in hex are read by. */
  byAnyFingerprint(fingerprint: string): RegisteredSchema | undefined {
    return this.#entry(fingerprint)?.schema;
  }

  /**
   * Adds a schema; of two with one fingerprint the newer is found by it. An alias gives way to every fingerprint, and to
   * an alias of another schema that was there before.
   */
  add(schema: RegisteredSchema): void {
    this.#byId.set(schema.id, schema);
    const { fingerprint, aliases } = schema.compiled;
    this.#enter(fingerprint, schema, false);
    for (const alias of aliases) this.#enter(alias.fingerprint, schema, true);
    this.#unknown.changed();
  }

  #enter(fingerprint: string, schema: RegisteredSchema, isAlias: boolean): void {
    const header = encodeSingleObjectHeader(fingerprint);
    const low = wordLE(header, 2);
    const high = wordLE(header, 6);
    const entries = this.#byFingerprint.get(low & 0x3fffffff) ?? [];
    const same = entries.find((entry) => entry.low === low && entry.high === high);
    if (same === undefined) {
      entries.push({ low, high, schema, isAlias });
    } else if (!isAlias || isOlderTwin(same, schema)) {
      same.schema = schema;
      same.isAlias = isAlias;
    }
    this.#byFingerprint.set(low & 0x3fffffff, entries);
  }

  /** See Registry.resolve. */
  resolve(bytes: Uint8Array, start: number, end: number): ResolvedFrame {
    if (this.#framing(bytes, start, end) === 'single-object') {
      const schema = this.#find(wordLE(bytes, start + 2), wordLE(bytes, start + 6));
      if (schema === undefined) throw this.#unknown.fingerprint(bytes, start, end);
      return { schema, bodyStart: start + SINGLE_OBJECT_HEADER_BYTES };
    }
    const schema = this.#byId.get(confluentIdAt(bytes, start));
    if (schema === undefined) throw this.#unknown.id(bytes, start, end);
    return { schema, bodyStart: start + CONFLUENT_HEADER_BYTES };
  }

  #framing(bytes: Uint8Array, start: number, end: number): ReturnType<typeof framingOf> {
    try {
      return framingOf(bytes, start, end);
    } catch (error) {
      throw this.#unknown.framing(error, bytes, start, end);
    }
  }

  #entry(fingerprint: string): FingerprintEntry | undefined {
    const header = encodeSingleObjectHeader(fingerprint);
    const low = wordLE(header, 2);
    const high = wordLE(header, 6);
    const entries = this.#byFingerprint.get(low & 0x3fffffff) ?? [];
    return entries.find((entry) => entry.low === low && entry.high === high);
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

/** Whether an alias is that of an older schema of the same fingerprint, which the newer one takes over. */
function isOlderTwin({ schema, isAlias }: FingerprintEntry, newer: RegisteredSchema): boolean {
  return isAlias && schema.compiled.fingerprint === newer.compiled.fingerprint;
}
