import { LIMITS, MillraceError } from '../../core/index.ts';
import { closeReason } from '../close-reason.ts';
import type { SendOutcome, Socket, SocketHandler } from '../edge.ts';
import type { HeldBytes, ByteHolder } from '../held-bytes.ts';
import { Pings } from '../pings.ts';
import type { WebSocket } from './load.ts';

/** What uWebSockets.js carries for each connection. */
export interface SocketSlot {
  socket: GuardedSocket;
}

/** One WebSocket, safe after its close: uWebSockets.js itself would kill the process. */
export class GuardedSocket implements Socket, ByteHolder {
  /** For the server alone: whom to tell what comes. */
  handler: SocketHandler | null = null;
  /** Makes the handler; let go once it has, with all that it knows of the upgrade. */
  #start: ((socket: Socket) => SocketHandler) | null;
  #ws: WebSocket<SocketSlot> | null = null;
  readonly #unread: HeldBytes;
  /** Null before the first one. */
  #pings: Pings | null = null;
  /** When the reader last took of what waited, on the performance clock. */
  #readMs = -Infinity;

  constructor(start: (socket: Socket) => SocketHandler, unread: HeldBytes) {
    this.#start = start;
    this.#unread = unread;
  }

  /** For the server alone: the native socket is there. */
  begin(ws: WebSocket<SocketSlot>): void {
    this.#ws = ws;
    const handler = this.#start?.(this) ?? null;
    this.#start = null;
    // It may have ended the socket already; then the close came before there was a handler to hear it.
    if (this.open) this.handler = handler;
    else handler?.closed(1006);
  }

  get open(): boolean {
    return this.#ws !== null;
  }

  sendText(text: string): SendOutcome {
    if (this.#ws === null) return 'closed';
    // 1: all sent, 0: queued behind back-pressure, 2: dropped over maxBackpressure
    const outcome = this.#ws.send(text, false, false);
    if (outcome === 1) return 'sent';
    this.#unread.set(this, this.bufferedBytes());
    // It may be the one that is cut for what waits in all.
    if (!this.open) return 'closed';
    return outcome === 0 ? 'queued' : 'dropped';
  }

  cork(action: () => void): void {
    if (this.#ws === null) {
      action();
      return;
    }
    let thrown: { error: unknown } | null = null;
    this.#ws.cork(() => {
      // It must not get into the native layer.
      try {
        action();
      } catch (error) {
        thrown = { error };
      }
    });
    if (thrown !== null) throw (thrown as { error: unknown }).error;
  }

  bufferedBytes(): number {
    return this.#ws === null ? 0 : this.#ws.getBufferedAmount();
  }

  end(code: number, reason: string): void {
    // What is not read would be kept until the idle timeout, and counted by nobody.
    if (this.bufferedBytes() > LIMITS.closeBacklogBytes) this.terminate();
    else if (this.#ws !== null) this.#ws.end(code, closeReason(reason));
  }

  terminate(): void {
    if (this.#ws !== null) this.#ws.close();
  }

  /** For the server alone: of what was queued some was taken. */
  drained(): void {
    this.#readMs = performance.now();
    this.#unread.set(this, this.bufferedBytes());
  }

  /** For the server alone: a ping came, and the pong to it is sent. */
  pinged(): void {
    const bytes = this.bufferedBytes();
    this.#unread.set(this, bytes);
    this.#pings ??= new Pings();
    const read = bytes === 0 || this.#readMs > this.#pings.sinceMs;
    if (this.#pings.take(performance.now(), read)) return;
    const bound = `over ${LIMITS.maxPings} pings in ${LIMITS.pingWindowMs} ms, or before their answers were read`;
    const error = new MillraceError('too_many_messages', bound);
    this.handler?.ending?.(error);
    this.end(error.row.close ?? 1008, error.message);
  }

  cut(error: MillraceError): void {
    this.handler?.ending?.(error);
    this.terminate();
  }

  /** For the server alone: the native socket is gone. */
  forget(): void {
    this.#unread.set(this, 0);
    this.#ws = null;
    this.#start = null;
  }
}
