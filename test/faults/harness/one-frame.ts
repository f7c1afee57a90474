import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';

/** The bytes of a WebSocket's opening request (RFC 6455, 4.1). */
export function upgradeRequest(wsUrl: string, device: string): Buffer {
  const { host } = new URL(wsUrl);
  return Buffer.from(
    [
      `GET /v1/ingest?device=${device} HTTP/1.1`,
      `Host: ${host}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      '',
      '',
    ].join('\r\n'),
  );
}

/** One binary message of at most 125 bytes as a client sends it: masked (RFC 6455, 5.2). */
export function binaryMessage(payload: Uint8Array): Buffer {
  if (payload.length > 125) throw new RangeError('longer messages have another header');
  const mask = randomBytes(4);
  const masked = payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0));
  return Buffer.concat([Buffer.from([0x82, 0x80 | payload.length]), mask, masked]);
}

/** Sends bytes as they are and ends the connection: politely, or with a reset. */
export async function sendAndCut(wsUrl: string, parts: readonly Buffer[], reset: boolean): Promise<void> {
  const { hostname, port } = new URL(wsUrl);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await once(socket, 'connect');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const [i, part] of parts.entries()) {
    // The first part is answered before the next is sent, as it is by the server's welcome.
    if (i > 0) await welcomed(socket);
    if (part.length > 0) await new Promise((resolve) => socket.write(part, resolve));
  }
  if (reset) socket.resetAndDestroy();
  else socket.destroySoon();
  await closed;
}

async function welcomed(socket: Socket): Promise<void> {
  let text = '';
  for (;;) {
    const [data] = (await once(socket, 'data')) as [Buffer];
    text += data.toString('latin1');
    if (text.includes('"type":"welcome"')) return;
  }
}
