import { MillraceError } from '../core/index.ts';

/**
 * The two framings that name the writer's schema: single-object encoding (Avro specification,
 * "Single-object encoding": C3 01, the fingerprint in little-endian) and Confluent's (00, the schema id in
 * big-endian).
 */
export const SINGLE_OBJECT_HEADER_BYTES = 10;
export const CONFLUENT_HEADER_BYTES = 5;

/** Always the same, as nothing distinguishes one from another: rubbish that costs no bytes should cost nothing else. */
const EMPTY = new MillraceError('frame_empty', 'the message has no bytes');

/**
 * Which framing `bytes[start..end)` begins with; its header is complete. Throws `frame_empty`,
 * `frame_framing` or `frame_truncated`.
 */
export function framingOf(bytes: Uint8Array, start: number, end: number): 'single-object' | 'confluent' {
  const length = end - start;
  if (length <= 0) throw EMPTY;
  const first = bytes[start];
  if (first === 0xc3 && (length === 1 || bytes[start + 1] === 0x01)) {
    if (length < SINGLE_OBJECT_HEADER_BYTES) throw headerTruncated(length, SINGLE_OBJECT_HEADER_BYTES);
    return 'single-object';
  }
  if (first === 0x00) {
    if (length < CONFLUENT_HEADER_BYTES) throw headerTruncated(length, CONFLUENT_HEADER_BYTES);
    return 'confluent';
  }
  throw new MillraceError(
    'frame_framing',
    `a frame begins with C3 01 or 00, this one with ${Buffer.from(bytes.subarray(start, Math.min(end, start + 2))).toString('hex')}`,
  );
}

/** The 32 bits at `at`, little-endian, as a signed integer. */
export function wordLE(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)
  );
}

/** The schema id of a Confluent header that begins at `start`. */
export function confluentIdAt(bytes: Uint8Array, start: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readUInt32BE(start + 1);
}

/** The header of a frame in single-object encoding, 10 bytes, from a fingerprint in hex. */
export function encodeSingleObjectHeader(fingerprint: string): Uint8Array {
  const header = new Uint8Array(SINGLE_OBJECT_HEADER_BYTES);
  header.set([0xc3, 0x01]);
  header.set(Buffer.from(fingerprint, 'hex').reverse(), 2);
  return header;
}

/** The header of a frame in Confluent framing, 5 bytes. */
export function encodeConfluentHeader(schemaId: number): Uint8Array {
  const header = Buffer.alloc(CONFLUENT_HEADER_BYTES);
  header.writeUInt32BE(schemaId, 1);
  return new Uint8Array(header);
}

function headerTruncated(length: number, expected: number): MillraceError {
  return new MillraceError('frame_truncated', `the header has ${length} bytes of ${expected}`);
}
