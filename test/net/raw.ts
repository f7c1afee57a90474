import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from '../fixtures/until.ts';

/** A connection of bytes, for what no client library would send. */
export class RawConnection {
  readonly socket: Socket;
  text = '';
  closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (part: string) => (this.text += part));
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1').setNoDelay();
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Writes and waits until the system has sent it on. */
  async flush(bytes: string): Promise<void> {
    await new Promise((resolve) => this.socket.write(Buffer.from(bytes, 'latin1'), resolve));
  }

  /** Waits until the answer so far matches. */
  async expect(pattern: RegExp): Promise<string> {
    await until(`${pattern}, got ${JSON.stringify(this.text.slice(0, 500))}`, () => pattern.test(this.text));
    return this.text;
  }

  async end(): Promise<string> {
    await until('the close', () => this.closed);
    return this.text;
  }
}

/** A frame of a WebSocket client (RFC 6455, 5.2) of up to 125 bytes. */
export function frame(opcode: number, payload: string, masked = true): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.from([0x80 | opcode, (masked ? 0x80 : 0) | bytes.length]);
  const mask = Buffer.from([1, 2, 3, 4]);
  if (!masked) return Buffer.concat([head, bytes]);
  return Buffer.concat([head, mask, bytes.map((byte, i) => byte ^ (mask[i % 4] ?? 0))]);
}

export const HANDSHAKE =
  'GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';
