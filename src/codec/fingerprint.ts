import { parseAvroSchema } from './avro-schema.ts';
import type { AvroType } from './avro-types.ts';
import { ALIAS_FORMS, SPECIFIED, type CanonicalForm, type Library } from './canonical-forms.ts';

/** CRC-64-AVRO of nothing; also its polynomial (Avro specification, "Schema Fingerprints"). */
const EMPTY_HIGH = 0xc15d213a;
const EMPTY_LOW = 0xa4d7a795;

/** The table of the Rabin fingerprint: for each byte the high and the low 32 bits. */
const TABLE = new Int32Array(512);
for (let byte = 0; byte < 256; byte++) {
  let low = byte;
  let high = 0;
  for (let bit = 0; bit < 8; bit++) {
    const odd = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (odd === 1) {
      low ^= EMPTY_LOW;
      high ^= EMPTY_HIGH;
    }
  }
  TABLE[byte * 2] = high;
  TABLE[byte * 2 + 1] = low;
}

/** CRC-64-AVRO: 16 lower-case hex digits of the number (big-endian). */
export function crc64Avro(bytes: Uint8Array): string {
  let high = EMPTY_HIGH;
  let low = EMPTY_LOW;
  for (const byte of bytes) {
    const at = ((low ^ byte) & 0xff) * 2;
    low = ((low >>> 8) | (high << 24)) ^ (TABLE[at + 1] ?? 0);
    high = (high >>> 8) ^ (TABLE[at] ?? 0);
  }
  return hex32(high) + hex32(low);
}

/**
 * The fingerprint of any Avro schema, mappable or not: 16 lower-case hex digits. Throws `schema_invalid`.
 */
export function fingerprintOf(text: string): string {
  return crc64Avro(Buffer.from(canonicalFormOf(parseAvroSchema(text, { defaults: false }))));
}

/** A fingerprint that is not the specification's, and the libraries that write it. */
export interface FingerprintAlias {
  readonly fingerprint: string;
  readonly libraries: readonly Library[];
}

/**
 * The fingerprints that widespread libraries compute for a schema where they do not follow the specification; none where
 * they all agree with it.
 */
export function aliasesOf(type: AvroType): FingerprintAlias[] {
  const specified = canonicalFormOf(type);
  const librariesByForm = new Map<string, Library[]>();
  for (const { library, form } of ALIAS_FORMS) {
    const text = canonicalFormOf(type, form);
    if (text === specified) continue;
    librariesByForm.set(text, [...(librariesByForm.get(text) ?? []), library]);
  }
  return [...librariesByForm].map(([text, libraries]) => ({
    fingerprint: crc64Avro(Buffer.from(text)),
    libraries,
  }));
}

/**
 * The Parsing Canonical Form (Avro specification, "Transforming into Parsing Canonical Form"), or what another form
 * makes of it.
 */
export function canonicalFormOf(type: AvroType, form: CanonicalForm = SPECIFIED): string {
  return canonical(type, form, new Set());
}

function canonical(type: AvroType, form: CanonicalForm, defined: Set<string>): string {
  switch (type.kind) {
    case 'record': {
      if (defined.has(type.name)) return JSON.stringify(type.name);
      defined.add(type.name);
      const fields = type.fields.map(
        (field) => `{"name":${JSON.stringify(field.name)},"type":${canonical(field.type, form, defined)}}`,
      );
      return `{"name":${JSON.stringify(type.name)},"type":"record","fields":[${fields.join(',')}]}`;
    }
    case 'enum':
      if (defined.has(type.name)) return JSON.stringify(type.name);
      defined.add(type.name);
      return `{"name":${JSON.stringify(type.name)},"type":"enum","symbols":${JSON.stringify(type.symbols)}}`;
    case 'fixed':
      if (defined.has(type.name)) return JSON.stringify(type.name);
      defined.add(type.name);
      return `{"name":${JSON.stringify(type.name)},"type":"fixed","size":${type.size}}`;
    case 'array':
      return `{"type":"array","items":${canonical(type.items, form, defined)}}`;
    case 'map':
      return `{"type":"map","values":${canonical(type.values, form, defined)}}`;
    case 'union':
      return `[${type.branches.map((branch) => canonical(branch, form, defined)).join(',')}]`;
    case 'null':
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'bytes':
    case 'string':
      return form(type);
  }
}

function hex32(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
