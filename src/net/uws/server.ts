import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS, MillraceError } from '../../core/index.ts';
import type {
  EdgeOptions,
  HeldByEdge,
  HttpAnswer,
  HttpExchange,
  NetServer,
  OnDefect,
  UpgradeAccepted,
  UpgradeRequest,
  WebSocketRoute,
} from '../edge.ts';
import { openResponderParts, type ResponderParts } from '../answering.ts';
import { assertPortFree, tryPort } from '../port.ts';
import { asMillraceError, problem } from '../problem.ts';
import { TurnCount } from '../turn-count.ts';
import { uws, type TemplatedApp, type us_listen_socket } from './load.ts';
import { Responder, readExchange, type ReadExchange } from './responder.ts';
import { GuardedSocket, type SocketSlot } from './socket.ts';

/** The words with which uWebSockets.js cuts a connection that sent a message over the route's limit. */
const TOO_BIG = 'Received too big message';
/** A constant of uWebSockets.js that its typings leave out. */
const NO_COMPRESSION = 0;

/** The edge on uWebSockets.js. */
export class UwsServer implements NetServer {
  readonly #app: TemplatedApp = uws.App();
  readonly #onDefect: OnDefect;
  readonly #socketPaths = new Set<string>();
  readonly #listening: us_listen_socket[] = [];
  readonly #answering = new Set<Promise<void>>();

  readonly #turn = new TurnCount();
  readonly #parts: ResponderParts;

  constructor(onDefect: OnDefect, options: EdgeOptions) {
    const { hasRoom } = options;
    this.#onDefect = onDefect;
    this.#parts = openResponderParts(options);
    if (hasRoom === undefined) return;
    this.#app.filter((res, change) => {
      if (change < 0 || hasRoom()) return;
      this.#parts.onEnded(
        new MillraceError('too_many_connections', 'the process may open no more files and connections'),
      );
      res.close();
    });
  }

  held(): HeldByEdge {
    return { unread: this.#parts.unread, bodies: this.#parts.bodies.held };
  }

  websocket(route: WebSocketRoute): void {
    this.#socketPaths.add(route.path);
    this.#app.ws<SocketSlot>(route.path, {
      maxPayloadLength: route.maxMessageBytes,
      maxBackpressure: route.maxBackpressureBytes,
      idleTimeout: route.idleTimeoutS,
      sendPingsAutomatically: true,
      compression: NO_COMPRESSION,
      upgrade: (res, req, context) => {
        const responder = new Responder(res, this.#parts);
        const key = req.getHeader('sec-websocket-key');
        const extensions = req.getHeader('sec-websocket-extensions');
        const exchange = readExchange(req, responder);
        const offered = exchange.header('sec-websocket-protocol') ?? '';
        const request: UpgradeRequest = {
          path: exchange.path,
          query: exchange.query,
          header: (name) => exchange.header(name),
          headers: exchange.headers,
          subprotocols: offered === '' ? [] : offered.split(',').map((name) => name.trim()),
          signal: responder.signal,
        };
        this.#answer(responder, false, async () => {
          const accepted = await this.#judge(route, request, exchange, responder);
          responder.release((raw) => {
            const socket = new GuardedSocket((ws) => accepted.start(ws), this.#parts.unread);
            raw.upgrade<SocketSlot>({ socket }, key, accepted.protocol, extensions, context);
          });
          return null;
        });
      },
      open: (ws) => {
        const { socket } = ws.getUserData();
        this.#guard(socket, () => socket.begin(ws));
      },
      message: (ws, message, isBinary) => {
        const { socket } = ws.getUserData();
        // The most frequent call of all, so without a closure for the guard.
        try {
          socket.handler?.message(new Uint8Array(message), isBinary);
        } catch (error) {
          this.#defect(socket, error);
        }
      },
      drain: (ws) => {
        const { socket } = ws.getUserData();
        this.#guard(socket, () => {
          socket.drained();
          socket.handler?.drain?.();
        });
      },
      ping: (ws) => {
        const { socket } = ws.getUserData();
        this.#guard(socket, () => socket.pinged());
      },
      close: (ws, code, message) => {
        const { socket } = ws.getUserData();
        const meant = code === 1006 && isTooBig(message) ? 1009 : code;
        socket.forget();
        this.#guard(socket, () => socket.handler?.closed(meant));
        socket.handler = null;
      },
    });
  }

  /**
   * What the route says to an upgrade. One that is taken is taken now, while the request is read; a refusal beyond what
   * one turn answers waits for its own, so that a client that sends many has read the one before.
   */
  async #judge(
    route: WebSocketRoute,
    request: UpgradeRequest,
    exchange: ReadExchange,
    responder: Responder,
  ): Promise<UpgradeAccepted> {
    const isOver = this.#turn.next() > LIMITS.requestsPerTurn;
    try {
      refuseRepeated(exchange);
      return await route.upgrade(request);
    } catch (error) {
      if (isOver) await responder.queue(this.#parts.bodies.rounds);
      throw error;
    }
  }

  /** An error must not get into the native layer: it is a defect, and ends this connection alone. */
  #guard(socket: GuardedSocket, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#defect(socket, error);
    }
  }

  #defect(socket: GuardedSocket, error: unknown): void {
    this.#onDefect(error);
    socket.end(1011, asMillraceError(error).message);
  }

  http(handler: (exchange: HttpExchange) => Promise<HttpAnswer>, path?: string): void {
    this.#app.any(path ?? '/*', (res, req) => {
      const responder = new Responder(res, this.#parts);
      const exchange = readExchange(req, responder);
      this.#answer(responder, exchange.method === 'HEAD', async () => {
        const isOver = this.#turn.next() > LIMITS.requestsPerTurn;
        if (path !== undefined) return this.#answerNow(handler, exchange, responder, isOver);
        if (isOver) await responder.queue(this.#parts.bodies.rounds);
        if (responder.signal.aborted) return null;
        refuseRepeated(exchange);
        if (!this.#socketPaths.has(exchange.path)) return handler(exchange);
        const error = new MillraceError('upgrade_required', `${exchange.path} is a WebSocket`);
        return problem(error, { Upgrade: 'websocket', Connection: 'Upgrade' });
      });
      responder.read();
    });
  }

  /** What is known without a body waits its turn, as an upgrade that is refused: see `#judge`. */
  async #answerNow(
    handler: (exchange: HttpExchange) => Promise<HttpAnswer>,
    exchange: ReadExchange,
    responder: Responder,
    isOver: boolean,
  ): Promise<HttpAnswer> {
    let answer: HttpAnswer | null = null;
    try {
      refuseRepeated(exchange);
      answer = await handler(exchange);
      return answer;
    } finally {
      if (isOver && (answer === null || answer.status >= 400))
        await responder.queue(this.#parts.bodies.rounds);
    }
  }

  #answer(responder: Responder, headOnly: boolean, produce: () => Promise<HttpAnswer | null>): void {
    const answering = this.#answerWith(responder, headOnly, produce);
    this.#answering.add(answering);
    void answering.finally(() => this.#answering.delete(answering));
  }

  async #answerWith(
    responder: Responder,
    headOnly: boolean,
    produce: () => Promise<HttpAnswer | null>,
  ): Promise<void> {
    try {
      const answer = await produce();
      if (answer !== null) await responder.send(answer, headOnly);
    } catch (error) {
      const known = asMillraceError(error);
      if (known.code === 'internal') this.#onDefect(error);
      await responder.send(problem(known), headOnly);
    }
  }

  async listen(host: string, port: number): Promise<number> {
    await assertPortFree(host, port);
    return this.join(host, port);
  }

  async join(host: string, port: number): Promise<number> {
    const opened = await new Promise<number | null>((resolve) => {
      this.#app.listen(host, port, (socket) => {
        if (socket !== false) this.#listening.push(socket);
        resolve(socket === false ? null : uws.us_socket_local_port(socket));
      });
    });
    if (opened !== null) return opened;
    // The library does not tell why; the system says it when it is asked again.
    await tryPort(host, port);
    throw new MillraceError('listen_failed', `cannot listen on ${host}:${port}: the system refuses it`);
  }

  stopListening(): void {
    for (const socket of this.#listening.splice(0)) uws.us_listen_socket_close(socket);
  }

  async answered(ms: number): Promise<void> {
    await Promise.race([Promise.allSettled(this.#answering), sleep(ms, null, { ref: false })]);
  }

  close(): void {
    this.stopListening();
    this.#app.close();
  }
}

function isTooBig(reason: ArrayBuffer): boolean {
  return reason.byteLength === TOO_BIG.length && Buffer.from(reason).toString() === TOO_BIG;
}

/** Which of two is meant nobody can tell, and a proxy may have read the other one. */
function refuseRepeated({ repeated }: ReadExchange): void {
  if (repeated !== null) {
    throw new MillraceError('header_repeated', `the header ${repeated} came more than once`);
  }
}
