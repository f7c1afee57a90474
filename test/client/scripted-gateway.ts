import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { until } from '../fixtures/until.ts';

/** One connection as the gateway's side sees it. */
export class Peer {
  readonly request: IncomingMessage;
  /** Payloads of binary messages, as text, and text messages. */
  readonly frames: string[] = [];
  readonly texts: string[] = [];
  closeCode: number | null = null;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket, request: IncomingMessage) {
    this.#socket = socket;
    this.request = request;
    socket.on('message', (data: Buffer, isBinary) => {
      (isBinary ? this.frames : this.texts).push(data.toString('utf8'));
    });
    socket.on('close', (code) => {
      this.closeCode = code;
    });
  }

  say(message: object): void {
    this.#socket.send(JSON.stringify(message));
  }

  welcome(seq: number, more: object = {}): void {
    const limits = { maxFrameBytes: 1_000, maxUnacked: 100, maxUnackedBytes: 10_000 };
    this.say({ type: 'welcome', device: 'd', epoch: 'e1', seq, ...limits, ...more });
  }

  close(code: number): void {
    this.#socket.close(code);
  }

  /** Without a closing handshake, as when the network fails. */
  cut(): void {
    this.#socket.terminate();
  }

  /** Waits for so many frames and gives all. */
  async received(count: number): Promise<string[]> {
    await until(`${count} frames, got ${this.frames.join()}`, () => this.frames.length >= count);
    return this.frames;
  }

  async said(count: number): Promise<Record<string, unknown>[]> {
    await until(`${count} text messages`, () => this.texts.length >= count);
    return this.texts.map((text) => JSON.parse(text) as Record<string, unknown>);
  }
}

/** A gateway that does what the test says, and nothing by itself. */
export class ScriptedGateway {
  readonly peers: Peer[] = [];
  readonly #server: WebSocketServer;
  readonly #refusals: number[];

  private constructor(server: WebSocketServer, refusals: number[]) {
    this.#server = server;
    this.#refusals = refusals;
    server.on('connection', (socket, request) => this.peers.push(new Peer(socket, request)));
  }

  static async open(): Promise<ScriptedGateway> {
    const refusals: number[] = [];
    const server = new WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      verifyClient: (_info, answer) => {
        const status = refusals.shift();
        if (status === undefined) answer(true);
        else answer(false, status);
      },
    });
    await once(server, 'listening');
    return new ScriptedGateway(server, refusals);
  }

  /** Refuses the next connections with these HTTP statuses. */
  refuse(...statuses: number[]): void {
    this.#refusals.push(...statuses);
  }

  get url(): string {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? `ws://127.0.0.1:${address.port}` : '';
  }

  /** The connection with this number, from 1. */
  peer(number: number): Promise<Peer> {
    return until(`connection ${number}`, () => this.peers[number - 1]);
  }

  async close(): Promise<void> {
    for (const client of this.#server.clients) client.terminate();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}
