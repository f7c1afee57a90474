/** The WebSocket protocol by hand, as far as load generators need it. */
import { randomBytes } from 'node:crypto';
import { FrameEncoder, shippedSchema } from '../dist/devices/fleet/encoder.js';

/** The request that a WebSocket begins with. */
export function upgradeRequest(path, port) {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Version: 13',
    '\r\n',
  ].join('\r\n');
}

/** Calls back with each whole text message from `at` on; returns where the rest begins. */
export function readMessages(bytes, at, onText) {
  while (at + 2 <= bytes.length) {
    const opcode = bytes[at] & 15;
    let size = bytes[at + 1] & 127;
    let start = at + 2;
    if (size === 126) {
      if (start + 2 > bytes.length) break;
      size = bytes.readUInt16BE(start);
      start += 2;
    }
    if (start + size > bytes.length) break;
    if (opcode === 1) onText(bytes.toString('latin1', start, start + size));
    at = start + size;
  }
  return at;
}

const encoder = new FrameEncoder(shippedSchema('environment.avsc'));

/** A frame of `count` Environment readings, a millisecond apart from `startMs` on, in single-object encoding. */
export function environmentFrame(count, startMs = Date.now()) {
  const items = Array.from({ length: count }, (_, i) => ({
    time: startMs + i,
    temperature: Math.round(2_000 + 5 * Math.sin(i / 9) * 100) / 100,
    humidity: Math.round(400 + i / 3) / 10,
    pressure: 1013.25,
    battery: Math.round(370 - i / 50) / 100,
    ok: true,
  }));
  return encoder.encode({ device: null, readings: items });
}

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
  return Buffer.concat([header, payload.map((byte, i) => byte ^ key[i & 3])]);
}
