import type { IncomingMessage, ServerResponse } from 'node:http';
import { LIMITS, MillraceError } from '../../core/index.ts';
import { hasLargeRest, lengthOf, type ResponderParts } from '../answering.ts';
import { BodyCollector, type BodySink } from '../body.ts';
import { BodyStream } from '../body-stream.ts';
import type { HttpAnswer } from '../edge.ts';
import type { ByteHolder } from '../held-bytes.ts';
import { pieces } from '../pieces.ts';
import { STATUS_TEXT } from '../status-text.ts';
import { charactersOf } from './request.ts';

/** One response, and the body of its request. */
export class NodeResponder implements ByteHolder {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #parts: ResponderParts;
  readonly #abort = new AbortController();
  /** Null while nobody has asked for it. */
  #body: BodySink | null = null;
  /** The same, where it is wanted whole. */
  #collected: BodyCollector | null = null;
  #wake: (() => void) | null = null;
  /** Whether the client goes on sending much that nobody reads. */
  #sendsUnwanted = false;

  constructor(request: IncomingMessage, response: ServerResponse, parts: ResponderParts) {
    this.#request = request;
    this.#response = response;
    this.#parts = parts;
    response.once('close', () => {
      if (!response.writableFinished) this.#abort.abort();
      this.#body?.abandon();
      parts.unread.set(this, 0);
      this.#wake?.();
    });
    response.on('timeout', () => {
      const waited = `the reader took nothing of its answer for ${LIMITS.flushStallMs} ms`;
      this.cut(new MillraceError('slow_consumer', waited));
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get #gone(): boolean {
    return this.#response.destroyed || this.#response.writableEnded;
  }

  /** The request's body, read as it is asked for. Rejects as HttpExchange says. */
  body(maxBytes: number): Promise<Buffer> {
    this.#collected ??= this.#collect(maxBytes);
    return this.#collected.whole(maxBytes);
  }

  /** Its parts as they come, instead. */
  stream(): AsyncIterable<Uint8Array> {
    const body = new BodyStream(this.#parts.bodies.held, {
      hold: () => this.#request.pause(),
      release: () => this.#request.resume(),
    });
    this.#pour(body);
    return body.read();
  }

  #collect(maxBytes: number): BodyCollector {
    const announced = this.#request.headers['content-length'];
    const bytes = announced === undefined ? null : Number(announced);
    const body = new BodyCollector(this.#parts.bodies, maxBytes, bytes);
    this.#pour(body);
    return body;
  }

  #pour(body: BodySink): void {
    this.#body = body;
    this.#request.on('data', (part: Buffer) => body.add(part));
    this.#request.once('end', () => body.end());
    this.#request.once('error', () => body.abandon());
  }

  /** Cuts the connection, and lets go of what was still to be sent. The client learns that the answer is not whole. */
  cut(error: MillraceError): void {
    if (this.#response.destroyed) return;
    this.#parts.onEnded(error);
    this.#destroy();
  }

  #destroy(): void {
    this.#response.socket?.resetAndDestroy();
    this.#response.destroy();
  }

  /** Resolves when the system has taken all of the answer, or the client has gone. */
  async send(answer: HttpAnswer, headOnly: boolean): Promise<void> {
    if (this.#gone) return;
    const { body, status } = answer;
    if (headOnly || body === null || status === 304) {
      // A 304 describes the whole answer, so it must not claim a length of 0.
      this.#writeHead(answer, status === 304 || status === 204 ? undefined : lengthOf(answer));
      await this.#end();
    } else if (typeof body === 'string' || body instanceof Uint8Array) {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      this.#writeHead(answer, bytes.length);
      await this.#whole(bytes);
    } else {
      await this.#stream(answer, body);
    }
  }

  async #whole(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (bytes.length - at > LIMITS.writeBytes) {
      const taken = this.#response.write(bytes.subarray(at, at + LIMITS.writeBytes));
      this.#parts.unread.set(this, taken ? 0 : bytes.length - at);
      at += LIMITS.writeBytes;
      if (!taken && !(await this.#room())) return;
    }
    await this.#end(bytes.subarray(at));
  }

  async #stream(answer: HttpAnswer, body: AsyncIterable<string | Uint8Array>): Promise<void> {
    let started = false;
    try {
      for await (const piece of pieces(body)) {
        if (this.#gone) return;
        if (!started) this.#writeHead(answer, undefined);
        started = true;
        const taken = this.#response.write(piece);
        this.#parts.unread.set(this, taken ? 0 : piece.length);
        if (!taken && !(await this.#room())) return;
      }
    } catch (error) {
      // Half an answer must not look like a whole one: cut the connection instead of ending the body.
      if (started) this.#destroy();
      throw error;
    }
    if (this.#gone) return;
    if (!started) this.#writeHead(answer, undefined);
    await this.#end();
  }

  async #end(bytes?: Uint8Array): Promise<void> {
    if (this.#sendsUnwanted) {
      await this.#linger(bytes);
      if (!this.#gone) this.#response.end();
      return;
    }
    const { socket } = this.#response;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (bytes === undefined) this.#response.end(resolve);
      else this.#response.end(bytes, resolve);
      const waiting = socket?.writableLength ?? 0;
      if (waiting === 0) return;
      this.#parts.unread.set(this, waiting);
      // Node sets its own time for the next request when this answer is out.
      socket?.setTimeout(LIMITS.flushStallMs);
    });
    this.#parts.unread.set(this, 0);
  }

  /** Leaves the client time to read its answer: at the end Node closes the connection, which resets what is unread. */
  async #linger(bytes?: Uint8Array): Promise<void> {
    if (bytes === undefined) this.#response.flushHeaders();
    else this.#response.write(bytes);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LIMITS.lingerMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Whether much is still to come of a body that nobody wants any more: reading on would cost more than the answer. */
  #isLargePartUnwanted(): boolean {
    if (this.#request.complete || this.#body?.isComplete === true) return false;
    const { 'content-length': announced, 'transfer-encoding': coding } = this.#request.headers;
    if (announced === undefined && coding === undefined) return false;
    return hasLargeRest(announced === undefined ? null : Number(announced), this.#body?.received ?? 0);
  }

  /** A connection whose next request waits behind a body that nobody reads has this time for the rest of it. */
  #expectRest(): void {
    const timer = setTimeout(() => this.#request.socket.destroy(), LIMITS.requestTimeoutMs).unref();
    this.#request.once('close', () => clearTimeout(timer));
  }

  /** Waits until the socket may take more; false when there is nothing more to be sent. */
  async #room(): Promise<boolean> {
    const response = this.#response;
    if (this.#gone) return false;
    response.socket?.setTimeout(LIMITS.flushStallMs);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      response.once('drain', resolve);
    });
    response.socket?.setTimeout(0);
    this.#parts.unread.set(this, 0);
    return !this.#gone;
  }

  #writeHead(answer: HttpAnswer, length: number | undefined): void {
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(answer.headers)) headers[name] = charactersOf(value);
    if (length !== undefined) headers['Content-Length'] = String(length);
    if (this.#isLargePartUnwanted()) {
      this.#sendsUnwanted = true;
      this.#request.pause();
      headers['Connection'] = 'close';
    } else if (!this.#request.complete) {
      this.#body?.leave();
      this.#expectRest();
    }
    // Node would take any other word for a wish to keep the connection.
    if (!this.#response.shouldKeepAlive) headers['Connection'] = 'close';
    this.#response.writeHead(answer.status, STATUS_TEXT[answer.status] ?? 'Status', headers);
  }
}
