/** A response that makes no progress for about 10 s is cut, so a slow reader gets pieces that it can take. */
const PIECE_BYTES = 64 * 1024;

/** The bytes of a streamed body in pieces of a bounded size. */
export async function* pieces(body: AsyncIterable<string | Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
  }
}
