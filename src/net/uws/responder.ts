import { LIMITS, MillraceError, type Rounds } from '../../core/index.ts';
import { hasLargeRest, lengthOf, type ResponderParts } from '../answering.ts';
import { BodyCollector, tooLarge, type BodySink } from '../body.ts';
import { BodyStream, noBody } from '../body-stream.ts';
import type { HttpAnswer, HttpExchange } from '../edge.ts';
import { readHeaders } from '../headers.ts';
import type { ByteHolder } from '../held-bytes.ts';
import { STATUS_TEXT } from '../status-text.ts';
import type { HttpRequest, HttpResponse } from './load.ts';
import { Patience } from './patience.ts';

/** One response: remembers whether the client is still there, because touching a dead one kills the process. */
export class Responder implements ByteHolder {
  readonly #res: HttpResponse;
  readonly #parts: ResponderParts;
  readonly #abort = new AbortController();
  #ended = false;
  /** Whether the request waits for its turn: nothing is done for it yet. */
  #queued = false;
  #hasBody = false;
  /** The body's size in bytes, where the client says it. */
  #announced: number | null = null;
  /** Null while nobody has asked for it. */
  #body: BodySink | null = null;
  /** The same, where it is wanted whole. */
  #whole: BodyCollector | null = null;
  #isBeingRead = true;
  #wake: (() => void) | null = null;

  constructor(res: HttpResponse, parts: ResponderParts) {
    this.#res = res;
    this.#parts = parts;
    res.onAborted(() => {
      // uWebSockets.js closes a connection whose next request comes before the answer to this one. That a client leaves
      // by itself in this very moment is next to impossible.
      if (this.#queued) parts.onEnded(new MillraceError('too_many_requests', PIPELINED));
      this.#end();
      this.#abort.abort();
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** What the request says of its body. */
  expect(hasBody: boolean, headers: ReadonlyMap<string, string>): void {
    this.#hasBody = hasBody;
    const length = headers.get('content-length');
    this.#announced = length === undefined ? null : Number(length);
  }

  /** Waits for a turn of the event loop that has time for the request. Its body is received meanwhile. */
  async queue(rounds: Rounds): Promise<void> {
    if (this.#hasBody && (this.#announced ?? 0) <= LIMITS.maxJsonBodyBytes)
      this.#receive(LIMITS.maxJsonBodyBytes);
    this.#queued = true;
    await rounds.turn();
    this.#queued = false;
  }

  /**
   * Runs `action` on the raw response if it is still alive, and takes it out of our hands (an upgrade). Not corked:
   * behind an upgrade that has waited for something, cork() may take the socket for an answered request and close it
   * (https://github.com/uNetworking/uWebSockets/pull/1929). One that has not waited is inside of the parser's cork;
   * one that has costs several writes and a warning on stderr.
   */
  release(action: (res: HttpResponse) => void): void {
    if (this.#ended) return;
    this.#end();
    action(this.#res);
  }

  /** Cuts the connection, and lets go of what was still to be sent. */
  cut(error: MillraceError): void {
    if (this.#ended) return;
    this.#parts.onEnded(error);
    this.#close();
  }

  async send(answer: HttpAnswer, headOnly: boolean): Promise<void> {
    if (this.#ended) return;
    const { body } = answer;
    if (headOnly || body === null || answer.status === 304) await this.#sendHead(answer, headOnly);
    else if (typeof body === 'string') await this.#sendWhole(answer, Buffer.from(body));
    else if (body instanceof Uint8Array) await this.#sendWhole(answer, body);
    else await this.#stream(answer, body);
  }

  /** Whether the socket took it nobody can tell. So it is sent in a later turn, which bounds how many are given unread. */
  async #sendHead(answer: HttpAnswer, headOnly: boolean): Promise<void> {
    await this.#parts.bodies.rounds.turn();
    if (this.#ended) return;
    this.#end();
    // A 304 describes the whole answer, so it must not claim a length of 0; a 204 has none (RFC 9110, 8.6).
    const hasLength = answer.status !== 304 && answer.status !== 204;
    const length = hasLength && headOnly ? lengthOf(answer) : undefined;
    this.#res.cork(() => {
      this.#writeHead(answer);
      // As a header: told by the call, the library waits for so many bytes and takes no other request on the connection.
      if (length !== undefined) this.#res.writeHeader('Content-Length', String(length));
      if (hasLength && !headOnly) this.#res.end();
      else this.#res.endWithoutBody();
    });
  }

  /**
   * A body of known size goes out as the socket takes it, and the response is under way until then: to a client that
   * does not read its answers, no more of them are given.
   */
  async #sendWhole(answer: HttpAnswer, body: Uint8Array): Promise<void> {
    if (body.length === 0) {
      await this.#sendHead(answer, false);
      return;
    }
    const patience = new Patience();
    let isHeadSent = false;
    const offer = (): boolean => {
      let done = false;
      this.#res.cork(() => {
        if (!isHeadSent) this.#writeHead(answer);
        isHeadSent = true;
        [, done] = this.#res.tryEnd(body.subarray(this.#res.getWriteOffset()), body.length);
      });
      return done;
    };
    for (let taken = 0; !offer();) {
      const offset = this.#res.getWriteOffset();
      if (offset > taken) patience.renew();
      taken = offset;
      this.#parts.unread.set(this, body.length - offset);
      if (!(await this.#room(patience))) return;
    }
    this.#end();
  }

  async #stream(answer: HttpAnswer, body: AsyncIterable<string | Uint8Array>): Promise<void> {
    const patience = new Patience();
    let started = false;
    try {
      for await (const bytes of inBytes(body)) {
        let at = 0;
        while (at < bytes.length) {
          if (this.#ended) return;
          const part = bytes.subarray(at, at + patience.sizeOfNext(bytes.length - at));
          let taken = true;
          this.#res.cork(() => {
            if (!started) this.#writeHead(answer);
            taken = this.#res.write(part);
          });
          started = true;
          at += part.length;
          this.#parts.unread.set(this, taken ? 0 : part.length);
          if (taken) patience.renew();
          else if (!(await this.#room(patience))) return;
        }
      }
      // The end must not wait in a buffer: the library closes a connection 8 s later, whatever the reader still takes.
      if (patience.wasTried && !(await this.#room(patience))) return;
    } catch (error) {
      // Half an answer must not look like a whole one: cut the connection instead of ending the body.
      if (started) this.#close();
      throw error;
    }
    if (this.#ended) return;
    this.#end();
    this.#res.cork(() => {
      if (!started) this.#writeHead(answer);
      this.#res.end();
    });
  }

  /** Waits until the socket may take more; false when there is nothing more to be sent. */
  async #room(patience: Patience): Promise<boolean> {
    if (this.#ended) return false;
    if (patience.isOver) {
      const waited = `the reader took nothing of its answer for ${LIMITS.readerStallMs} ms`;
      this.cut(new MillraceError('slow_consumer', waited));
      return false;
    }
    const writable = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), LIMITS.writeRetryMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
      this.#res.onWritable(() => {
        this.#wake?.();
        return true;
      });
    });
    this.#wake = null;
    patience.note(writable);
    return !this.#ended;
  }

  #writeHead(answer: HttpAnswer): void {
    this.#res.writeStatus(`${answer.status} ${STATUS_TEXT[answer.status] ?? 'Status'}`);
    for (const [name, value] of Object.entries(answer.headers)) this.#res.writeHeader(name, value);
    if (!this.#isLargePartUnwanted()) {
      this.#body?.leave();
      return;
    }
    // Reading on would cost more than the answer. The library closes the connection some seconds after it.
    this.#res.writeHeader('Connection', 'close');
    this.#res.pause();
  }

  /** Whether the client goes on sending much of a body that nobody wants any more. */
  #isLargePartUnwanted(): boolean {
    if (!this.#hasBody || this.#body?.isComplete === true) return false;
    return hasLargeRest(this.#announced, this.#body?.received ?? 0);
  }

  #close(): void {
    if (this.#ended) return;
    this.#end();
    this.#res.close();
  }

  #end(): void {
    this.#ended = true;
    this.#body?.abandon();
    this.#parts.unread.set(this, 0);
    this.#wake?.();
  }

  /**
   * The request's body. The first call must come while the request is read: what nobody has asked for by then is not
   * kept. Rejects as HttpExchange says.
   */
  async body(maxBytes: number): Promise<Buffer> {
    this.#receive(maxBytes);
    if (this.#whole === null) {
      // It was too large to be kept while the request waited for its turn.
      if ((this.#announced ?? 0) > maxBytes) throw tooLarge(maxBytes);
      throw new TypeError(LATE);
    }
    return this.#whole.whole(maxBytes);
  }

  /** Its parts as they come, instead. */
  stream(): AsyncIterable<Uint8Array> {
    if (this.#body !== null || !this.#isBeingRead) throw new TypeError(LATE);
    const body = new BodyStream(this.#parts.bodies.held, {
      hold: () => {
        if (!this.#ended) this.#res.pause();
      },
      release: () => {
        if (!this.#ended) this.#res.resume();
      },
    });
    this.#pour(body);
    return body.read();
  }

  /** The request's first part has been read: handlers have had their chance to ask for a body. */
  read(): void {
    this.#isBeingRead = false;
  }

  #receive(maxBytes: number): void {
    if (this.#body !== null || !this.#isBeingRead) return;
    this.#whole = new BodyCollector(this.#parts.bodies, maxBytes, this.#announced);
    this.#pour(this.#whole);
  }

  #pour(body: BodySink): void {
    this.#body = body;
    this.#res.onData((part, isLast) => {
      body.add(new Uint8Array(part));
      if (isLast) body.end();
    });
  }
}

const LATE = 'a body is asked for once, and before anything is waited for';
const PIPELINED = `more than ${LIMITS.requestsPerTurn} requests at once, of which the client had read no answer`;

async function* inBytes(body: AsyncIterable<string | Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

/** A request as it came, and a header that came twice although there can be one at most. */
export interface ReadExchange extends HttpExchange {
  repeated: string | null;
}

/**
 * Copies what a handler may need out of a request, whose own object dies when the handler first awaits. Call it before
 * the first await.
 */
export function readExchange(req: HttpRequest, responder: Responder): ReadExchange {
  const pairs: [string, string][] = [];
  req.forEach((name, value) => pairs.push([name, value]));
  const { headers, repeated } = readHeaders(pairs);
  const method = req.getMethod().toUpperCase();
  const hasBody = method !== 'GET' && method !== 'HEAD';
  responder.expect(hasBody, headers);
  return {
    method,
    path: req.getUrl(),
    query: req.getQuery() ?? '',
    header: (name) => headers.get(name),
    headers,
    repeated,
    body: (maxBytes) => (hasBody ? responder.body(maxBytes) : Promise.resolve(Buffer.alloc(0))),
    stream: () => (hasBody ? responder.stream() : noBody()),
    signal: responder.signal,
  };
}
