import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Edge } from '../../src/net/index.ts';
import { createTail, type Tail, type TailParts } from '../../src/tail/index.ts';
import { openTestEdge } from '../fixtures/edge.ts';
import { until } from '../fixtures/until.ts';
import { afterwards, type Bench } from './harness.ts';

export interface ServerMessage {
  type: string;
  id?: string | number;
  n?: number;
  columns?: string[];
  rows?: unknown[][];
  cursor?: string;
  code?: string;
  message?: string;
  reason?: string;
  epoch?: string;
  limits?: Record<string, number>;
  from?: string;
  to?: string;
  missed?: number | null;
  query?: string;
}

export interface TailServer {
  tail: Tail;
  port: number;
  defects: unknown[];
  connect(query?: string, protocols?: string[], headers?: Record<string, string>): TailSocket;
}

/** The tail over a bench's parts on a free port, and the API where it is given. */
export async function serveTail(
  bench: Bench,
  parts: Partial<TailParts> = {},
  api: Parameters<Edge['http']>[0] | null = null,
): Promise<TailServer> {
  const defects: unknown[] = [];
  const { journal, registry, store } = bench;
  const onDefect = (error: unknown): void => void defects.push(error);
  const tail = createTail({ journal, registry, store, onDefect, ...parts });
  const net = await openTestEdge(onDefect);
  net.websocket(tail.route);
  if (api !== null) net.http(api);
  const port = await net.listen('127.0.0.1', 0);
  afterwards(() => net.close());
  afterwards(() => tail.close());
  return {
    tail,
    port,
    defects,
    connect: (query = '', protocols = [], headers = {}) => {
      const socket = new TailSocket(`ws://127.0.0.1:${port}/v1/tail${query}`, protocols, headers);
      afterwards(() => socket.end());
      return socket;
    },
  };
}

/** A bare client that records what it is told. */
export class TailSocket {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  /** Rows of all data messages. */
  rowCount = 0;
  closeCode: number | null = null;
  refusedStatus: number | null = null;

  constructor(url: string, protocols: string[], headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url, protocols, { headers });
    this.socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString('utf8')) as ServerMessage;
      this.messages.push(message);
      this.rowCount += message.rows?.length ?? 0;
    });
    this.socket.on('close', (code) => {
      this.closeCode = code;
    });
    this.socket.on('unexpected-response', (_, response) => {
      this.refusedStatus = response.statusCode ?? 0;
      response.resume();
    });
    this.socket.on('error', () => {});
  }

  async send(message: unknown): Promise<void> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, 'open');
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  of(type: string, id?: string | number): ServerMessage[] {
    return this.messages.filter((m) => m.type === type && (id === undefined || m.id === id));
  }

  /** Waits for the `count`th message of a type. */
  expect(type: string, id?: string | number, count = 1): Promise<ServerMessage> {
    return until(`message ${count} of type "${type}"`, () => this.of(type, id)[count - 1]);
  }

  rows(id?: string | number): unknown[][] {
    return this.of('data', id).flatMap((message) => message.rows ?? []);
  }

  /** Waits for that many rows, and sees that no more come in the same messages. */
  async expectRows(count: number, id?: string | number): Promise<unknown[][]> {
    await until(`${count} rows`, () => this.rowCount >= count && this.rows(id).length >= count);
    return this.rows(id);
  }

  closed(): Promise<number> {
    return until('the close', () => this.closeCode ?? undefined);
  }

  async end(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    this.socket.terminate();
    await this.closed();
  }
}
