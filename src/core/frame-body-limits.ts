/** Bounds of bodies that hold frames; part of LIMITS. */
export const FRAME_BODY_LIMITS = {
  /** Bytes of a streamed body that wait to be read before its client has to; a part that comes at once may exceed them. */
  bodyWindowBytes: 256 * 1024,
  /** Two to this power are the bytes that a Zstandard decoder keeps: 8 MiB, which RFC 8878 asks of every decoder. */
  zstdWindowLog: 23,
  /** Characters of an Idempotency-Key: a UUID in quotes has 38. */
  idempotencyKeyChars: 255,
} as const;
