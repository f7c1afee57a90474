import { once } from 'node:events';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';

/** A gateway in memory that keeps to the contract: numbers, acknowledges, and takes over after cuts. */
export class KeepingGateway {
  /** Frames by device, in order. */
  readonly kept = new Map<string, Buffer[]>();
  /** Every frame of these devices is refused. */
  readonly refused = new Set<string>();
  connections = 0;
  #acking = true;
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on('connection', (socket, request) => this.#serve(socket, request.url ?? ''));
  }

  static async open(): Promise<KeepingGateway> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    return new KeepingGateway(server);
  }

  get url(): string {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? `ws://127.0.0.1:${address.port}` : '';
  }

  get frames(): number {
    return [...this.kept.values()].reduce((sum, frames) => sum + frames.length, 0);
  }

  #serve(socket: WebSocket, url: string): void {
    this.connections += 1;
    const device = new URL(url, 'ws://host').searchParams.get('device') ?? '';
    const frames = this.kept.get(device) ?? [];
    this.kept.set(device, frames);
    const say = (message: object) => socket.send(JSON.stringify(message));
    const limits = { maxFrameBytes: 100_000, maxUnacked: 50, maxUnackedBytes: 1_000_000 };
    say({ type: 'welcome', device, epoch: 'e', seq: frames.length, ...limits });
    socket.on('message', (frame: Buffer) => {
      frames.push(frame);
      if (this.refused.has(device)) {
        say({ type: 'reject', seq: frames.length, code: 'schema_unknown', message: '' });
      }
      if (this.#acking) say({ type: 'ack', seq: frames.length });
    });
  }

  /** Takes frames from now on without saying so. */
  stopAcking(): void {
    this.#acking = false;
  }

  /** Cuts every connection, and acknowledges again. */
  cut(): void {
    this.#acking = true;
    for (const socket of this.#server.clients) socket.terminate();
  }

  endAll(code: number): void {
    for (const socket of this.#server.clients) socket.close(code);
  }

  async close(): Promise<void> {
    this.cut();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}
