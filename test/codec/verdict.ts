import { compileSchema, type TimeBounds } from '../../src/codec/index.ts';
import { refusalOf } from './refusals.ts';

export const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
export const field = (name: string, type: unknown, more: object = {}): object => ({ name, type, ...more });
export const compile = (fields: object[], bounds: TimeBounds = {}) =>
  compileSchema(JSON.stringify({ type: 'record', name: 'Thing', fields: [...fields] }), bounds);
export const items = (fields: object[]): object => ({
  type: 'array',
  items: { type: 'record', name: 'Item', fields },
});

/** `refused code path` of bytes in hex, or the number of readings. */
export function verdict(schema: ReturnType<typeof compile>, hex: string, device = 'd1'): number | string {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  // Inside a larger buffer: nothing before or behind the frame may count.
  const around = Buffer.concat([Buffer.alloc(3, 0xff), bytes, Buffer.alloc(12)]);
  try {
    return schema.check(around, 3, 3 + bytes.length, device, NOW_MS);
  } catch {
    const { code, path } = refusalOf(() => schema.check(around, 3, 3 + bytes.length, device, NOW_MS));
    return path === undefined ? code : `${code} ${path}`;
  }
}

export const TIME = { type: 'long', logicalType: 'timestamp-millis' };

export const zigzag = (value: bigint): string => {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  let hex = '';
  for (; rest >= 128n; rest >>= 7n) hex += (Number(rest & 127n) | 128).toString(16).padStart(2, '0');
  return hex + Number(rest).toString(16).padStart(2, '0');
};

export const text = (bytes: Buffer | string): string => {
  const buffer = Buffer.from(bytes as string, 'utf8');
  return `${zigzag(BigInt(buffer.length))}${buffer.toString('hex')}00`;
};

export const timed = (unit: string, bounds: TimeBounds = {}) =>
  compile([field('t', { type: 'long', logicalType: `timestamp-${unit}` }), field('x', 'int')], bounds);
export const dayAhead = BigInt(NOW_MS + 86_400_000);
