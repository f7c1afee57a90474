import { describe, expect, test } from '@jest/globals';
import avsc from 'avsc';
import { readFileSync } from 'node:fs';
import {
  encodeConfluentHeader,
  encodeSingleObjectHeader,
  fingerprintOf,
  framingOf,
} from '../../src/codec/index.ts';
import { canonicalFormOf } from '../../src/codec/fingerprint.ts';
import { parseAvroSchema } from '../../src/codec/avro-schema.ts';
import { codeOf } from './refusals.ts';

const vectors = new URL('../vectors/avro/', import.meta.url);

interface SchemaVector {
  number: string;
  input: string;
  canonical: string;
  fingerprint: string | undefined;
}

function schemaVectors(): SchemaVector[] {
  const text = readFileSync(new URL('schema-tests.txt', vectors), 'utf8');
  return text
    .split(/^\/\/ (?=\d{3}$)/m)
    .slice(1)
    .map((part) => {
      const input = /^<<INPUT\n([^]*?)\nINPUT$/m.exec(part)?.[1] ?? /^<<INPUT (.*)$/m.exec(part)?.[1] ?? '';
      const canonical = /^<<canonical (.*)$/m.exec(part)?.[1] ?? '';
      return {
        number: part.slice(0, 3),
        input,
        canonical,
        fingerprint: /^<<fingerprint (.*)$/m.exec(part)?.[1],
      };
    });
}

const framing = (hex: string) => {
  const bytes = Buffer.from(hex, 'hex');
  return framingOf(bytes, 0, bytes.length);
};

describe("the Avro project's schema vectors", () => {
  const all = schemaVectors();

  test('there are 34 of them', () => {
    expect(all).toHaveLength(34);
  });

  test.each(all)('schema $number has its canonical form and fingerprint', (vector) => {
    expect(canonicalFormOf(parseAvroSchema(vector.input, { defaults: false }))).toBe(vector.canonical);
    if (vector.fingerprint !== undefined) {
      const hex = BigInt.asUintN(64, BigInt(vector.fingerprint)).toString(16).padStart(16, '0');
      expect(fingerprintOf(vector.input)).toBe(hex);
    }
  });
});

test("the Avro project's message has our header in front of avsc's bytes", () => {
  const { schema, message, hex } = JSON.parse(readFileSync(new URL('message-v1.json', vectors), 'utf8')) as {
    schema: avsc.Schema;
    message: unknown;
    hex: string;
  };
  const body = avsc.Type.forSchema(schema).toBuffer(message);
  const header = encodeSingleObjectHeader(fingerprintOf(JSON.stringify(schema)));
  expect(Buffer.concat([header, body]).toString('hex')).toBe(hex);
});

describe('canonical form', () => {
  test('a type that is used again is named in full, and inherits its namespace', () => {
    const text = JSON.stringify({
      type: 'record',
      name: 'Outer',
      namespace: 'a.b',
      fields: [
        { name: 'x', type: { type: 'enum', name: 'E', symbols: ['A'] } },
        { name: 'y', type: 'E' },
        { name: 'z', type: { type: 'record', name: 'c.Inner', fields: [{ name: 'e', type: 'a.b.E' }] } },
        { name: 'l', type: { type: 'long', logicalType: 'timestamp-millis' } },
      ],
    });
    expect(canonicalFormOf(parseAvroSchema(text, { defaults: true }))).toBe(
      '{"name":"a.b.Outer","type":"record","fields":[' +
        '{"name":"x","type":{"name":"a.b.E","type":"enum","symbols":["A"]}},' +
        '{"name":"y","type":"a.b.E"},' +
        '{"name":"z","type":{"name":"c.Inner","type":"record","fields":[{"name":"e","type":"a.b.E"}]}},' +
        '{"name":"l","type":"long"}]}',
    );
  });
});

describe('framing', () => {
  test('both framings are told apart by their first bytes', () => {
    expect(framing('c3010000000000000000')).toBe('single-object');
    expect(framing('0000000001')).toBe('confluent');
  });

  test('an empty message, an unknown beginning and a cut header are refused as such', () => {
    expect(codeOf(() => framing(''))).toBe('frame_empty');
    expect(codeOf(() => framing('4f626a01'))).toBe('frame_framing');
    expect(codeOf(() => framing('c302000000000000000000'))).toBe('frame_framing');
    expect(codeOf(() => framing('c3'))).toBe('frame_truncated');
    expect(codeOf(() => framing('c30100000000000000'))).toBe('frame_truncated');
    expect(codeOf(() => framing('00000001'))).toBe('frame_truncated');
  });

  test('headers hold the fingerprint little-endian and the id big-endian', () => {
    expect(Buffer.from(encodeSingleObjectHeader('0102030405060708')).toString('hex')).toBe(
      'c3010807060504030201',
    );
    expect(Buffer.from(encodeConfluentHeader(258)).toString('hex')).toBe('0000000102');
  });
});
