/** The part of a WebSocket that the client uses: the browser's fits, and so does `ws` in Node. */
export interface WebSocketLike {
  readonly readyState: number;
  binaryType: string;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: 'error', listener: (event: object) => void): void;
  /** `ws` only: ends the connection without waiting for the other side. */
  terminate?(): void;
  /** `ws` only: an HTTP answer instead of the upgrade. Browsers hide it. */
  on?(
    event: 'unexpected-response',
    listener: (request: unknown, response: { statusCode?: number | undefined }) => void,
  ): unknown;
}

export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocketLike;

/** How a connection ended. `status` is an HTTP refusal before the upgrade, where it can be seen. */
export interface SocketEnd {
  closeCode: number;
  status: number | null;
  reason: string;
}

export interface SocketEvents {
  onOpen(): void;
  onText(text: string): void;
  /** Called once, last; not after `abandon`. */
  onEnd(end: SocketEnd): void;
}

export interface OpenSocket {
  send(data: string | Uint8Array): void;
  /** Closes politely; the events go on until the end. */
  close(code: number, reason: string): void;
  /** Ends it at once and hears nothing more from it. */
  abandon(): void;
}

const OPEN = 1;

/** Opens a connection and makes the ways in which it can end into one. Throws for a malformed URL. */
export function openSocket(
  constructor: WebSocketConstructor,
  url: string,
  protocols: string[],
  events: SocketEvents,
): OpenSocket {
  const socket = protocols.length === 0 ? new constructor(url) : new constructor(url, protocols);
  socket.binaryType = 'arraybuffer';
  let ended = false;
  let problem = '';
  const end = (closeCode: number, status: number | null, reason: string) => {
    if (ended) return;
    ended = true;
    events.onEnd({ closeCode, status, reason });
  };
  socket.addEventListener('open', () => {
    if (!ended) events.onOpen();
  });
  socket.addEventListener('message', (event) => {
    if (!ended && typeof event.data === 'string') events.onText(event.data);
  });
  socket.addEventListener('error', (event) => {
    // Node says what went wrong; a close event follows, in browsers with nothing but 1006.
    if ('message' in event && typeof event.message === 'string') problem = event.message;
  });
  socket.addEventListener('close', (event) => end(event.code, null, event.reason || problem));
  socket.on?.('unexpected-response', (_request, response) => {
    const status = response.statusCode ?? 0;
    end(1006, status, `HTTP ${status} instead of a WebSocket`);
    // Whoever listens to this event has to end the request.
    discard(socket);
  });
  return {
    send: (data) => {
      if (socket.readyState === OPEN) socket.send(data);
    },
    close: (code, reason) => socket.close(code, reason),
    abandon: () => {
      ended = true;
      discard(socket);
    },
  };
}

function discard(socket: WebSocketLike): void {
  if (socket.terminate === undefined) socket.close();
  else socket.terminate();
}
