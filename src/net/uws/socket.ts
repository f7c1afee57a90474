import type { SendOutcome, Socket, SocketHandler } from '../edge.ts';
import type { WebSocket } from './load.ts';

/** What uWebSockets.js carries for each connection. */
export interface SocketSlot {
  socket: GuardedSocket;
}

/** One WebSocket, safe after its close: uWebSockets.js itself would kill the process. */
export class GuardedSocket implements Socket {
  /** For the server alone: whom to tell what comes. */
  handler: SocketHandler | null = null;
  /** Makes the handler; let go once it has, with all that it knows of the upgrade. */
  #start: ((socket: Socket) => SocketHandler) | null;
  #ws: WebSocket<SocketSlot> | null = null;

  constructor(start: (socket: Socket) => SocketHandler) {
    this.#start = start;
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
    return outcome === 1 ? 'sent' : outcome === 0 ? 'queued' : 'dropped';
  }

  bufferedBytes(): number {
    return this.#ws === null ? 0 : this.#ws.getBufferedAmount();
  }

  end(code: number, reason: string): void {
    if (this.#ws !== null) this.#ws.end(code, closeReason(reason));
  }

  terminate(): void {
    if (this.#ws !== null) this.#ws.close();
  }

  /** For the server alone: the native socket is gone. */
  forget(): void {
    this.#ws = null;
    this.#start = null;
  }
}

/** Bytes of the reason in a close frame at most (RFC 6455, 5.5). */
const MAX_REASON_BYTES = 123;

/** The beginning of a text that fits a close frame, cut between characters. */
function closeReason(text: string): Uint8Array {
  const target = new Uint8Array(MAX_REASON_BYTES);
  const { written } = new TextEncoder().encodeInto(text, target);
  return target.subarray(0, written);
}
