import { WebSocket } from 'ws';
import { isErrorCode, LIMITS, messageOf, MillraceError } from '../../core/index.ts';
import type { Socket, SocketHandler, UpgradeRequest, WebSocketRoute } from '../../net/index.ts';
import { passedOn } from './forward.ts';

const GONE = 1001;
const UNEXPECTED = 1011;
const COME_BACK = 1012;
/** Headers of the handshake: each of the two connections makes its own. */
const HANDSHAKE = /^sec-websocket-/;
/** What a client may offer as a subprotocol (RFC 9110, 5.6.2); others cannot be passed on. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

interface ForwardedRoute extends Omit<WebSocketRoute, 'upgrade'> {
  subprotocol: string;
}

/**
 * Passes the WebSockets of a route on to the server's own listener on loopback. `authorize` refuses before the upgrade;
 * what else the server has against a connection ends it behind that, with the error's close code.
 */
export class ForwardedSockets {
  readonly route: WebSocketRoute;
  readonly #open = new Set<Forwarded>();
  readonly #onEnded: (error: MillraceError) => void;

  constructor(
    port: number,
    { subprotocol, ...route }: ForwardedRoute,
    authorize: (request: UpgradeRequest) => void,
    onEnded: (error: MillraceError) => void,
  ) {
    this.#onEnded = onEnded;
    this.route = {
      ...route,
      // Waits for nothing, so that the upgrade happens while the request is read: see Responder.release.
      upgrade: async (request) => {
        authorize(request);
        return {
          protocol: request.subprotocols.includes(subprotocol) ? subprotocol : '',
          start: (socket) => this.#start(socket, dial(port, subprotocol, request)),
        };
      },
    };
  }

  /** Ends all of them with `text` as their last word: they come back elsewhere. */
  goaway(text: string): void {
    for (const socket of this.#open) socket.goaway(text);
  }

  #start(socket: Socket, upstream: WebSocket): SocketHandler {
    const forwarded = new Forwarded(socket, upstream, {
      onClosed: () => this.#open.delete(forwarded),
      onEnded: this.#onEnded,
    });
    this.#open.add(forwarded);
    return forwarded;
  }
}

function dial(
  port: number,
  subprotocol: string,
  { path, query, headers, subprotocols }: UpgradeRequest,
): WebSocket {
  const passed = [...headers].filter(([name]) => !HANDSHAKE.test(name));
  // With the one that the server selects: to have none selected of several would be an error to this client.
  const offered = new Set([subprotocol, ...subprotocols.filter((name) => TOKEN.test(name))]);
  // A client that sends one means no fragment, which never leaves it.
  const target = `${path}?${query}`.replaceAll('#', '%23');
  return new WebSocket(`ws://127.0.0.1:${port}${target}`, [...offered], {
    headers: passedOn(passed),
    perMessageDeflate: false,
    maxPayload: LIMITS.tailBackpressureBytes,
  });
}

interface ForwardedListener {
  onClosed(): void;
  /** The socket is ended here, and not by one of its two ends. */
  onEnded(error: MillraceError): void;
}

/** One WebSocket and its other half: what comes on the one goes out on the other, as fast as it is read there. */
class Forwarded implements SocketHandler {
  readonly #socket: Socket;
  readonly #upstream: WebSocket;
  readonly #told: ForwardedListener;
  /** What came before the other half was open. */
  #early: { bytes: Buffer; binary: boolean }[] | null = [];
  #earlyBytes = 0;

  constructor(socket: Socket, upstream: WebSocket, told: ForwardedListener) {
    this.#socket = socket;
    this.#upstream = upstream;
    this.#told = told;
    upstream.on('open', () => this.#opened());
    upstream.on('message', (data: Buffer) => this.#pass(data));
    upstream.on('close', (code, reason) => {
      socket.end(isSendable(code) ? code : COME_BACK, reason.toString());
    });
    upstream.on('error', (cause) => this.#end(new MillraceError('draining', messageOf(cause), { cause })));
    upstream.on('unexpected-response', (_request, response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      // A response that is cut off closes too.
      response.once('close', () => this.#end(refusal(text)));
    });
  }

  message(bytes: Uint8Array, binary: boolean): void {
    if (this.#early === null) this.#upstream.send(Buffer.from(bytes), { binary });
    else {
      this.#early.push({ bytes: Buffer.from(bytes), binary });
      this.#earlyBytes += bytes.length;
    }
    if (this.#upstream.bufferedAmount + this.#earlyBytes > LIMITS.forwardedSocketBytes) {
      this.#end(new MillraceError('window_exceeded', 'more messages than the server reads'));
    }
  }

  drain(): void {
    if (this.#socket.bufferedBytes() < LIMITS.forwardedSocketBytes / 2) this.#resume();
  }

  ending(error: MillraceError): void {
    this.#told.onEnded(error);
  }

  closed(code: number): void {
    this.#told.onClosed();
    this.#upstream.removeAllListeners('close');
    // A paused one would not see the end of the handshake.
    this.#resume();
    this.#upstream.close(isSendable(code) ? code : GONE);
  }

  goaway(text: string): void {
    this.#socket.sendText(text);
    this.#socket.end(COME_BACK, 'this process is stopping');
  }

  /** One whose handshake has failed has nothing to resume and throws. */
  #resume(): void {
    if (this.#upstream.isPaused) this.#upstream.resume();
  }

  #opened(): void {
    for (const { bytes, binary } of this.#early ?? []) this.#upstream.send(bytes, { binary });
    this.#early = null;
    this.#earlyBytes = 0;
  }

  #pass(data: Buffer): void {
    if (this.#socket.sendText(data.toString('utf8')) === 'dropped') {
      this.#end(new MillraceError('slow_consumer', 'more waits for the reader than the server keeps'));
    } else if (this.#socket.bufferedBytes() > LIMITS.forwardedSocketBytes) this.#upstream.pause();
  }

  #end(error: MillraceError): void {
    // What comes after the close is no news.
    if (this.#socket.open) this.#told.onEnded(error);
    const { row, message } = error;
    this.#socket.end(row.close ?? (row.retry ? COME_BACK : UNEXPECTED), message);
  }
}

/** The server's problem+json as the error that it was made of. */
function refusal(text: string): MillraceError {
  try {
    const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
    if (typeof code === 'string' && isErrorCode(code)) return new MillraceError(code, String(detail));
  } catch {
    // Said below.
  }
  return new MillraceError('internal', `the server refused the connection: ${text.slice(0, 80)}`);
}

/** Whether an endpoint may send this close code (RFC 6455, 7.4). */
function isSendable(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
  );
}
