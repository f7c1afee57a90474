import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { ZSTDDecoder } from 'zstddec';
import { LIMITS, MillraceError } from '../../core/index.ts';

/**
 * Zstandard (RFC 8878) of bytes that are there as a whole. Node has it from 22.15 on; before that the same decoder in
 * WebAssembly does it, which is loaded when it is first needed.
 */
export function unpackZstd(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  return hasNative ? native(bytes, maxBytes) : compiled(bytes, maxBytes);
}

/** Whether Node itself has it, which streams need. */
export const hasNative = typeof zlib.zstdDecompress === 'function';

function native(bytes: Uint8Array, maxOutputLength: number): Promise<Uint8Array> {
  const decompress = promisify<Uint8Array, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress);
  return decompress(bytes, { maxOutputLength, params: ZSTD_PARAMS() });
}

/** What a decoder may keep of what it made is bounded: a header of a few bytes can claim any amount. */
export const ZSTD_PARAMS = (): Record<number, number> => ({
  [zlib.constants.ZSTD_d_windowLogMax]: LIMITS.zstdWindowLog,
});

let decoder: Promise<ZSTDDecoder> | null = null;

async function open(): Promise<ZSTDDecoder> {
  const { ZSTDDecoder } = await import('zstddec');
  const made = new ZSTDDecoder();
  await made.init();
  return made;
}

async function compiled(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  decoder ??= open();
  const made = (await decoder).decode(bytes, maxBytes);
  // It has no words for a failure, which leaves nothing.
  if (made.length > 0) return made;
  const size = contentSize(bytes);
  if (size === 0n) return made;
  if (size !== null && size > BigInt(maxBytes)) {
    throw new MillraceError('body_too_large', `it unpacks to ${size} bytes; ${maxBytes} are taken here`);
  }
  throw new MillraceError(
    'body_invalid',
    `the Zstandard bytes are damaged, or unpack to more than ${maxBytes}`,
  );
}

/** The size that a frame's header says (RFC 8878, 3.1.1.1); null where it says none. */
function contentSize(bytes: Uint8Array): bigint | null {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const descriptor = frame[4] ?? 0;
  const single = (descriptor >> 5) & 1;
  const at = 6 - single + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const width = descriptor >> 6 === 0 ? single : 1 << (descriptor >> 6);
  if (width === 0 || at + width > frame.length) return null;
  if (width === 8) return frame.readBigUInt64LE(at);
  return BigInt(frame.readUIntLE(at, width) + (width === 2 ? 256 : 0));
}
