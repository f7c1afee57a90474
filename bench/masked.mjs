import { randomBytes } from 'node:crypto';

/** A binary WebSocket message as a client sends it: masked with a random key. */
export function masked(payload) {
  const key = randomBytes(4);
  const extended = payload.length > 65_535 ? 8 : payload.length > 125 ? 2 : 0;
  const header = Buffer.alloc(2 + extended + 4);
  header[0] = 0x82;
  header[1] = 0x80 | (extended === 8 ? 127 : extended === 2 ? 126 : payload.length);
  if (extended === 2) header.writeUInt16BE(payload.length, 2);
  if (extended === 8) header.writeBigUInt64BE(BigInt(payload.length), 2);
  key.copy(header, 2 + extended);
  return Buffer.concat([header, Buffer.from(payload).map((byte, i) => byte ^ key[i & 3])]);
}
