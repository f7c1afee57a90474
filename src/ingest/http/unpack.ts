import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { MillraceError, messageOf, systemCodeOf } from '../../core/index.ts';
import { unpackZstd } from './zstd.ts';

/** How a body may be coded on its way (RFC 9110, 8.4). */
export type BodyCoding = 'identity' | 'gzip' | 'deflate' | 'zstd';

const CODINGS: ReadonlyMap<string, BodyCoding> = new Map([
  ['', 'identity'],
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['zstd', 'zstd'],
]);
/** What a client may send, in the words of Accept-Encoding. */
export const CODING_NAMES = 'gzip, deflate, zstd';

/** The coding that a Content-Encoding names. Throws `content_encoding_unsupported`, for several at once too. */
export function codingOf(contentEncoding: string | undefined): BodyCoding {
  const name = (contentEncoding ?? '').trim().toLowerCase();
  const coding = CODINGS.get(name);
  if (coding !== undefined) return coding;
  throw new MillraceError(
    'content_encoding_unsupported',
    `the body has the Content-Encoding "${name.slice(0, 60)}"; known: one of ${CODING_NAMES}`,
  );
}

type Unpack = (bytes: Uint8Array, maxBytes: number) => Promise<Uint8Array>;

const gunzip = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip);
const inflate = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflate);
const inflateRaw = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.inflateRaw);

const UNPACK: Readonly<Record<BodyCoding, Unpack>> = {
  identity: (bytes) => Promise.resolve(bytes),
  gzip: (bytes, maxOutputLength) => gunzip(bytes, { maxOutputLength }),
  // Some send the deflated bytes bare, against RFC 9110, 8.4.1.2.
  deflate: (bytes, maxOutputLength) =>
    hasZlibHeader(bytes) ? inflate(bytes, { maxOutputLength }) : inflateRaw(bytes, { maxOutputLength }),
  zstd: unpackZstd,
};

/** Whether bytes begin as RFC 1950 has it. */
function hasZlibHeader([first = 0, second = 0]: Uint8Array): boolean {
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
}

/**
 * The bytes of a whole body. Rejects with `body_too_large` where they would be more than `maxBytes`, and with
 * `body_invalid` where the coding is damaged.
 */
export async function unpack(bytes: Uint8Array, coding: BodyCoding, maxBytes: number): Promise<Uint8Array> {
  try {
    return await UNPACK[coding](bytes, maxBytes);
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    if (systemCodeOf(cause) === 'ERR_BUFFER_TOO_LARGE') throw unpacksTooLarge(maxBytes);
    throw new MillraceError('body_invalid', `the body is no ${coding}: ${messageOf(cause)}`, { cause });
  }
}

export function unpacksTooLarge(maxBytes: number): MillraceError {
  return new MillraceError('body_too_large', `the body may unpack to ${maxBytes} bytes here`);
}
