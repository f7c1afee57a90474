import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { LIMITS } from '../../src/core/index.ts';
import { NOW_MS, TIME, compile, field, items, text, verdict, zigzag } from './verdict.ts';

describe('integers', () => {
  const int = compile([field('x', 'int')]);
  const long = compile([field('x', 'long')]);

  test('the extremes are taken', () => {
    expect(verdict(int, zigzag(2n ** 31n - 1n))).toBe(1);
    expect(verdict(int, zigzag(-(2n ** 31n)))).toBe(1);
    expect(verdict(long, zigzag(2n ** 63n - 1n))).toBe(1);
    expect(verdict(long, zigzag(-(2n ** 63n)))).toBe(1);
  });

  test('overlong and too large varints are refused', () => {
    expect(verdict(int, '80 00')).toBe('frame_varint x');
    expect(verdict(int, 'ff ff ff ff 1f')).toBe('frame_varint x');
    expect(verdict(int, zigzag(2n ** 31n))).toBe('frame_varint x');
    expect(verdict(int, '80 80 80 80 80 00')).toBe('frame_varint x');
    expect(verdict(long, '81 80 00')).toBe('frame_varint x');
    expect(verdict(long, 'ff ff ff ff ff ff ff ff ff 02')).toBe('frame_varint x');
    expect(verdict(long, '80 80 80 80 80 80 80 80 80 80 01')).toBe('frame_varint x');
  });

  test('cut ones and bytes behind the record are refused', () => {
    expect(verdict(int, '')).toBe('frame_truncated x');
    expect(verdict(int, '80')).toBe('frame_truncated x');
    expect(verdict(long, 'ff ff')).toBe('frame_truncated x');
    expect(verdict(int, '02 02')).toBe('frame_trailing');
  });
});

describe('floats', () => {
  const float = compile([field('x', 'float')]);
  const double = compile([field('x', 'double')]);

  test('NaN is a missing value, an infinity refuses the frame', () => {
    expect(verdict(float, '0000c07f')).toBe(1);
    expect(verdict(float, '0100807f')).toBe(1);
    expect(verdict(float, '0000807f')).toBe('value_not_finite x');
    expect(verdict(float, '000080ff')).toBe('value_not_finite x');
    expect(verdict(float, 'ffff7f7f')).toBe(1);
    expect(verdict(double, '000000000000f87f')).toBe(1);
    expect(verdict(double, '000000000000f07f')).toBe('value_not_finite x');
    expect(verdict(double, '000000000000f0ff')).toBe('value_not_finite x');
    expect(verdict(double, '010000000000f07f')).toBe(1);
    expect(verdict(double, 'ffffffffffffef7f')).toBe(1);
  });

  test('cut ones are refused', () => {
    expect(verdict(float, '000000')).toBe('frame_truncated x');
    expect(verdict(double, '00000000000000')).toBe('frame_truncated x');
  });
});

describe('indexes', () => {
  const schema = compile([
    field('u', ['null', 'int']),
    field('e', { type: 'enum', name: 'E', symbols: ['A', 'B'] }),
    field('b', 'boolean'),
  ]);

  test('what is inside the range is taken', () => {
    expect(verdict(schema, '00 00 00')).toBe(1);
    expect(verdict(schema, '02 54 02 01')).toBe(1);
  });

  test('union branches, symbols and booleans outside of it are refused', () => {
    expect(verdict(schema, '04 00 00 00')).toBe('frame_index u');
    expect(verdict(schema, '01 00 00 00')).toBe('frame_index u');
    expect(verdict(schema, '82 00 00 00 00')).toBe('frame_varint u');
    expect(verdict(schema, '00 04 00')).toBe('frame_index e');
    expect(verdict(schema, '00 01 00')).toBe('frame_index e');
    expect(verdict(schema, '00 00 02')).toBe('frame_index b');
    expect(verdict(schema, '')).toBe('frame_truncated u');
    expect(verdict(schema, '00')).toBe('frame_truncated e');
    expect(verdict(schema, '00 00')).toBe('frame_truncated b');
  });
});

describe('strings', () => {
  const x = field('x', 'int');
  const tag = compile([field('s', 'string'), x]);
  const note = compile([field('s', 'string', { role: 'field' }), x]);
  const passed = compile([field('s', 'string', { role: 'ignore' }), x]);

  test('any valid UTF-8 is taken', () => {
    for (const value of [
      '',
      'plain',
      'grün',
      '温度',
      '\u{10ffff}',
      '\ud7ff\ue000',
      '\u0080\u07ff\u0800\uffff\u{10000}',
    ]) {
      expect(verdict(tag, text(value))).toBe(1);
      expect(verdict(note, text(value))).toBe(1);
    }
  });

  test('what is not UTF-8 is refused', () => {
    for (const hex of [
      '80', // a tail alone
      'c080', // overlong
      'c1bf',
      'e08080', // overlong
      'e09fbf',
      'eda080', // a surrogate
      'edbfbf',
      'f0808080', // overlong
      'f08fbfbf',
      'f4908080', // beyond the last code point
      'f5808080',
      'ff',
      'c3', // cut
      'e282',
      'f09f98',
      'c328', // no tail
      'e28228',
      'f09f9828',
    ]) {
      expect([hex, verdict(tag, text(Buffer.from(hex, 'hex')))]).toEqual([hex, 'frame_utf8 s']);
      expect([hex, verdict(passed, text(Buffer.from(hex, 'hex')))]).toEqual([hex, 'frame_utf8 s']);
    }
  });

  test('lengths that are negative or beyond the end are refused', () => {
    expect(verdict(tag, '01 00')).toBe('frame_varint s');
    expect(verdict(tag, '06 61 62')).toBe('frame_truncated s');
    expect(verdict(tag, zigzag(2n ** 62n))).toBe('frame_truncated s');
  });

  test('tags without a faithful form in line protocol are refused, fields with the same text are taken', () => {
    expect(verdict(tag, text('a\nb'))).toBe('value_unusable s');
    expect(verdict(tag, text('a\0b'))).toBe('value_unusable s');
    expect(verdict(tag, text('\0'))).toBe('value_unusable s');
    expect(verdict(tag, text('a\r\t\x7f\u0085b'))).toBe(1);
    expect(verdict(note, text('a\0b'))).toBe(1);
    expect(verdict(tag, text('a\\'))).toBe('value_unusable s');
    expect(verdict(tag, text('a\\b'))).toBe(1);
    expect(verdict(note, text('a\nb'))).toBe(1);
    expect(verdict(note, text('a\\'))).toBe(1);
  });

  test('a string over the limit is refused, at the limit it is taken', () => {
    expect(verdict(note, text('a'.repeat(LIMITS.maxStringBytes)))).toBe(1);
    expect(verdict(note, text('a'.repeat(LIMITS.maxStringBytes + 1)))).toBe('value_unusable s');
    expect(verdict(passed, text('a'.repeat(LIMITS.maxStringBytes + 1)))).toBe(1);
  });
});

describe('the device in the frame', () => {
  const schema = compile([
    field('device', ['null', 'string']),
    field('device_id', 'string'),
    field('x', 'int'),
  ]);
  const d1 = '04 6431';

  test("must be the connection's, or be left out", () => {
    expect(verdict(schema, `02 ${d1} ${d1} 00`)).toBe(1);
    expect(verdict(schema, `00 ${d1} 00`)).toBe(1);
    expect(verdict(schema, `02 ${d1} ${d1} 00`, 'd2')).toBe('device_mismatch device');
    expect(verdict(schema, `00 ${d1} 00`, 'd10')).toBe('device_mismatch device_id');
    expect(verdict(schema, `00 ${d1} 00`, 'd')).toBe('device_mismatch device_id');
    expect(verdict(schema, '00 00 00')).toBe('device_mismatch device_id');
  });
});

describe('array blocks', () => {
  const schema = compile([field('r', items([field('x', 'int'), field('y', 'int')])), field('z', TIME)]);
  const z = zigzag(BigInt(NOW_MS));

  test('readings in several blocks, with and without byte sizes, are counted', () => {
    expect(verdict(schema, `00 ${z}`)).toBe(0);
    expect(verdict(schema, `04 0202 0202 00 ${z}`)).toBe(2);
    expect(verdict(schema, `02 0202 01 04 0202 03 08 02020202 00 ${z}`)).toBe(4);
  });

  test('a count beyond the bytes that are left is refused before anything is read', () => {
    expect(verdict(schema, '08 0202 0202 00 00')).toBe('frame_block r');
    expect(verdict(schema, `${zigzag(2n ** 62n)} 0202 00 00`)).toBe('frame_block r');
    expect(verdict(schema, `${zigzag(-(2n ** 63n))} 04 0202 00 00`)).toBe('frame_block r');
  });

  test('a byte size that is wrong is refused', () => {
    expect(verdict(schema, '01 02 0202 00 00')).toBe('frame_block r');
    expect(verdict(schema, '01 06 0202 00 00')).toBe('frame_block r');
    expect(verdict(schema, '01 03 0202 00 00')).toBe('frame_block r');
    expect(verdict(schema, `01 ${zigzag(2n ** 40n)} 0202 00 00`)).toBe('frame_block r');
  });

  test('an array that never ends is refused', () => {
    expect(verdict(schema, '02 0202')).toBe('frame_truncated r');
    expect(verdict(schema, '')).toBe('frame_truncated r');
  });

  test('items without bytes are bounded by number', () => {
    const empty = compile([field('r', items([field('n', 'null')])), field('x', 'int'), field('z', TIME)]);
    const most = BigInt(LIMITS.maxReadingsPerFrame);
    expect(verdict(empty, `${zigzag(most)} 00 00 ${z}`)).toBe(LIMITS.maxReadingsPerFrame);
    expect(verdict(empty, `${zigzag(most + 1n)} 00 00`)).toBe('frame_too_many_readings r');
    expect(verdict(empty, `${zigzag(most)} 02 00 00`)).toBe('frame_too_many_readings r');
    expect(verdict(empty, `${zigzag(2n ** 62n)} 00 00`)).toBe('frame_too_many_readings r');
  });

  test('readings with bytes are bounded by number too', () => {
    const small = compile([field('z', TIME), field('r', items([field('x', 'boolean')]))]);
    const count = LIMITS.maxReadingsPerFrame;
    expect(verdict(small, `${z}${zigzag(BigInt(count))}${'00'.repeat(count)}00`)).toBe(count);
    expect(verdict(small, `${z}${zigzag(BigInt(count + 1))}${'00'.repeat(count + 1)}00`)).toBe(
      'frame_too_many_readings r',
    );
  });

  test('in what is ignored they are checked as well, and cost no more than their bytes', () => {
    const ignored = compile([
      field('a', { type: 'array', items: { type: 'array', items: 'null' } }, { role: 'ignore' }),
      field('m', { type: 'map', values: ['null', 'bytes', 'float'] }, { role: 'ignore' }),
      field('f', { type: 'fixed', name: 'F', size: 3 }, { role: 'ignore' }),
      field('z', 'int'),
    ]);
    expect(verdict(ignored, '04 0400 00 00 04 0261 00 0262 02 04ffff 00 010203 02')).toBe(1);
    expect(verdict(ignored, `02 ${zigzag(2n ** 50n)} 00 00 00 010203 02`)).toBe('frame_too_many_readings a');
    expect(verdict(ignored, '00 08 00 010203 02')).toBe('frame_block m');
    expect(verdict(ignored, '00 02 0261 06 00 010203 02')).toBe('frame_index m');
    expect(verdict(ignored, '00 00 0102')).toBe('frame_truncated f');
  });
});

describe("the Avro project's bytes that every decoder must refuse", () => {
  const url = new URL('../vectors/avro/binary-rejections.json', import.meta.url);
  const { vectors } = JSON.parse(readFileSync(url, 'utf8')) as {
    vectors: { name: string; schema: string; bytesHex: string }[];
  };

  test.each(vectors)('$name', ({ schema, bytesHex }) => {
    const ignored = compile([
      field('v', JSON.parse(schema) as unknown, { role: 'ignore' }),
      field('x', 'int'),
    ]);
    expect(verdict(ignored, `${bytesHex} 00`)).toMatch(/^frame_\w+ v$/);
    if (!/bytes|array/.test(schema)) {
      const stored = compile([field('v', JSON.parse(schema) as unknown), field('x', 'int')]);
      expect(verdict(stored, `${bytesHex} 00`)).toMatch(/^frame_\w+ v$/);
    }
  });
});
