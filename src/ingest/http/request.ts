import { z } from 'zod';
import { LIMITS, MillraceError } from '../../core/index.ts';
import { bindParameters, inputJsonSchema, readQuery, type HttpExchange } from '../../net/index.ts';
import type { Introduction } from '../identity.ts';

/** Parameters of the URL. */
export const framesInput = z.object({
  device: z.string().optional().describe('The device, where the header X-Device cannot be sent'),
});
const inputSchema = inputJsonSchema(framesInput);

/** Who sends a request, by its header or its URL. Throws `parameter_*`. */
export function introductionOf(exchange: HttpExchange): Introduction {
  const named = exchange.header('x-device');
  const devices = new Set(named === undefined ? [] : [named]);
  if (exchange.query !== '') {
    const { device } = bindParameters(readQuery(exchange.query, {}, []), framesInput, inputSchema);
    if (device !== undefined) devices.add(device);
  }
  return { transport: 'http', header: (name) => exchange.header(name), devices: [...devices] };
}

/** The media type of the body, without parameters. */
export function contentTypeOf(exchange: HttpExchange): string {
  const [type = ''] = (exchange.header('content-type') ?? '').split(';');
  return type.trim().toLowerCase();
}

const VISIBLE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** The name that the client gave to the request as a whole; null for none. Throws `header_invalid`. */
export function idempotencyKeyOf(exchange: HttpExchange): string | null {
  const key = exchange.header('idempotency-key');
  if (key === undefined) return null;
  if (key.length <= LIMITS.idempotencyKeyChars && VISIBLE.test(key)) return key;
  throw new MillraceError(
    'header_invalid',
    `Idempotency-Key: expected 1 to ${LIMITS.idempotencyKeyChars} visible ASCII characters`,
  );
}
