import type { Socket as NetSocket } from 'node:net';
import { WebSocket } from 'ws';
import { LIMITS, MillraceError } from '../../core/index.ts';
import { closeReason } from '../close-reason.ts';
import type { OnDefect, SendOutcome, Socket, SocketHandler } from '../edge.ts';
import type { ByteHolder, HeldBytes } from '../held-bytes.ts';
import { Pings } from '../pings.ts';
import { asMillraceError } from '../problem.ts';
import type { IdleWatch, Watched } from './idle-watch.ts';

const TEXT = { binary: false, compress: false, fin: true } as const;
const NOTHING = Buffer.alloc(0);
const MESSAGE_TOO_BIG = 1009;
const CUT = 1006;
const DEFECT = 1011;

/** What the sockets of one route share. */
export interface SocketParts {
  readonly maxBackpressureBytes: number;
  readonly unread: HeldBytes;
  readonly idle: IdleWatch;
  readonly onDefect: OnDefect;
}

/** One WebSocket. It is closed for its part as soon as it is ended, whatever ws still does to end it in good manner. */
export class NodeSocket implements Socket, ByteHolder, Watched {
  readonly #raw: NetSocket;
  readonly #parts: SocketParts;
  #ws: WebSocket | null;
  #handler: SocketHandler | null = null;
  /** Whether some that was sent waits for the reader, and the word that it was taken is still to come. */
  #waiting = false;
  /** Null before the first one. */
  #pings: Pings | null = null;
  /** When the reader last took of what waited, on the performance clock. */
  #readMs = -Infinity;

  constructor(ws: WebSocket, raw: NetSocket, parts: SocketParts) {
    this.#ws = ws;
    this.#raw = raw;
    this.#parts = parts;
  }

  /** For the server alone: `start` makes who is told what comes. */
  begin(start: (socket: Socket) => SocketHandler): void {
    const ws = this.#ws;
    if (ws === null) return;
    this.#parts.idle.add(this);
    ws.on('message', (data: Buffer, isBinary) => {
      // The most frequent call of all, so without a closure for the guard.
      try {
        this.#handler?.message(data, isBinary);
      } catch (error) {
        this.#defect(error);
      }
    });
    ws.on('ping', () => this.#pinged());
    // What ws refuses it ends by itself; of a message over the route's limit, the part is told.
    ws.on('error', (error: NodeJS.ErrnoException) =>
      this.#forget(error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? MESSAGE_TOO_BIG : CUT),
    );
    ws.on('close', (code) => this.#forget(code));
    this.#guard(() => {
      const handler = start(this);
      // It may have ended the socket already; then the close came before there was a handler to hear it.
      if (this.open) this.#handler = handler;
      else handler.closed(CUT);
    });
  }

  get open(): boolean {
    return this.#ws?.readyState === WebSocket.OPEN;
  }

  sendText(text: string): SendOutcome {
    const ws = this.#ws;
    if (ws?.readyState !== WebSocket.OPEN) return 'closed';
    if (ws.bufferedAmount > this.#parts.maxBackpressureBytes) return 'dropped';
    ws.send(text, TEXT);
    if (this.#raw.writableLength === 0) return 'sent';
    this.#parts.unread.set(this, this.#raw.writableLength);
    // It may be the one that is cut for what waits in all.
    if (!this.open) return 'closed';
    this.#tellWhenTaken();
    return 'queued';
  }

  cork(action: () => void): void {
    this.#raw.cork();
    try {
      action();
    } finally {
      this.#raw.uncork();
    }
  }

  bufferedBytes(): number {
    return this.#ws?.bufferedAmount ?? 0;
  }

  bytesRead(): number {
    return this.#raw.bytesRead;
  }

  ping(): void {
    if (this.open) this.#ws?.ping();
  }

  end(code: number, reason: string): void {
    const ws = this.#ws;
    if (ws === null) return;
    // A close frame would wait behind what is not read.
    if (this.bufferedBytes() > LIMITS.closeBacklogBytes) {
      this.terminate();
      return;
    }
    ws.close(code, Buffer.from(closeReason(reason)));
    this.#forget(code);
  }

  terminate(): void {
    this.#ws?.terminate();
    this.#forget(CUT);
  }

  cut(error: MillraceError): void {
    this.#guard(() => this.#handler?.ending?.(error));
    this.terminate();
  }

  /** Node tells of a socket that takes all only when much waits, so the word comes behind what waits now. */
  #tellWhenTaken(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#raw.write(NOTHING, () => {
      this.#waiting = false;
      if (!this.open) return;
      this.#readMs = performance.now();
      this.#parts.unread.set(this, this.#raw.writableLength);
      if (this.#raw.writableLength > 0) this.#tellWhenTaken();
      this.#guard(() => this.#handler?.drain?.());
    });
  }

  #pinged(): void {
    if (!this.open) return;
    const bytes = this.bufferedBytes();
    this.#parts.unread.set(this, bytes);
    this.#pings ??= new Pings();
    const read = bytes === 0 || this.#readMs > this.#pings.sinceMs;
    if (this.#pings.take(performance.now(), read)) {
      if (bytes > 0) this.#tellWhenTaken();
      return;
    }
    const bound = `over ${LIMITS.maxPings} pings in ${LIMITS.pingWindowMs} ms, or before their answers were read`;
    const error = new MillraceError('too_many_messages', bound);
    this.#guard(() => this.#handler?.ending?.(error));
    this.end(error.row.close ?? 1008, error.message);
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#defect(error);
    }
  }

  #defect(error: unknown): void {
    this.#parts.onDefect(error);
    this.end(DEFECT, asMillraceError(error).message);
  }

  #forget(code: number): void {
    if (this.#ws === null) return;
    this.#ws = null;
    this.#parts.idle.remove(this);
    this.#parts.unread.set(this, 0);
    const handler = this.#handler;
    this.#handler = null;
    this.#guard(() => handler?.closed(code));
  }
}
