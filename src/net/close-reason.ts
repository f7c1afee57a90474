/** Bytes of the reason in a close frame at most (RFC 6455, 5.5). */
const MAX_REASON_BYTES = 123;

/** The beginning of a text that fits a close frame, cut between characters. */
export function closeReason(text: string): Uint8Array {
  const target = new Uint8Array(MAX_REASON_BYTES);
  const { written } = new TextEncoder().encodeInto(text, target);
  return target.subarray(0, written);
}
