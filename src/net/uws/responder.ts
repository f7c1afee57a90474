import { LIMITS, MillraceError } from '../../core/index.ts';
import type { HttpAnswer, HttpExchange } from '../edge.ts';
import { pieces } from '../pieces.ts';
import { STATUS_TEXT } from '../status-text.ts';
import type { HttpRequest, HttpResponse } from './load.ts';

/** One response: remembers whether the client is still there, because touching a dead one kills the process. */
export class Responder {
  readonly #res: HttpResponse;
  readonly #abort = new AbortController();
  #ended = false;
  #onWritable: (() => void) | null = null;

  constructor(res: HttpResponse) {
    this.#res = res;
    res.onAborted(() => {
      this.#ended = true;
      this.#abort.abort();
      this.#onWritable?.();
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get gone(): boolean {
    return this.#ended;
  }

  /**
   * Runs `action` on the raw response if it is still alive, and takes it out of our hands (an upgrade). Not corked:
   * behind an upgrade that has waited for something, cork() may take the socket for an answered request and close it
   * (https://github.com/uNetworking/uWebSockets/pull/1929). One that has not waited is inside of the parser's cork;
   * one that has costs several writes and a warning on stderr.
   */
  release(action: (res: HttpResponse) => void): void {
    if (this.#ended) return;
    this.#ended = true;
    action(this.#res);
  }

  async send(answer: HttpAnswer, headOnly: boolean): Promise<void> {
    if (this.#ended) return;
    const { body } = answer;
    if (body === null || typeof body === 'string' || body instanceof Uint8Array) {
      const length =
        body === null
          ? (answer.length ?? 0)
          : typeof body === 'string'
            ? Buffer.byteLength(body)
            : body.byteLength;
      this.#ended = true;
      this.#res.cork(() => {
        this.#writeHead(answer);
        if (headOnly && answer.status !== 304) this.#res.endWithoutBody(length);
        // A 304 describes the whole answer, so it must not claim a length of 0.
        else if (answer.status === 304) this.#res.endWithoutBody();
        else if (body === null) this.#res.end();
        else this.#res.end(body);
      });
      return;
    }
    if (headOnly) {
      this.#ended = true;
      this.#res.cork(() => {
        this.#writeHead(answer);
        this.#res.endWithoutBody();
      });
      return;
    }
    await this.#stream(answer, body);
  }

  async #stream(answer: HttpAnswer, body: AsyncIterable<string | Uint8Array>): Promise<void> {
    let started = false;
    try {
      for await (const chunk of pieces(body)) {
        if (this.#ended) return;
        let more = true;
        this.#res.cork(() => {
          if (!started) this.#writeHead(answer);
          more = this.#res.write(chunk);
        });
        started = true;
        if (!more) await this.#writable();
        if (this.#ended) return;
      }
    } catch (error) {
      // Half an answer must not look like a whole one: cut the connection instead of ending the body.
      if (started && !this.#ended) {
        this.#ended = true;
        this.#res.close();
      }
      throw error;
    }
    if (this.#ended) return;
    this.#ended = true;
    this.#res.cork(() => {
      if (!started) this.#writeHead(answer);
      this.#res.end();
    });
  }

  #writable(): Promise<void> {
    return new Promise((resolve) => {
      this.#onWritable = () => {
        this.#onWritable = null;
        resolve();
      };
      this.#res.onWritable(() => {
        this.#onWritable?.();
        return true;
      });
    });
  }

  #writeHead(answer: HttpAnswer): void {
    this.#res.writeStatus(`${answer.status} ${STATUS_TEXT[answer.status] ?? 'Status'}`);
    for (const [name, value] of Object.entries(answer.headers)) this.#res.writeHeader(name, value);
  }

  /** Collects the body; must be called in the same tick as the request's arrival. */
  collect(): (maxBytes: number) => Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    let done = false;
    let failed: MillraceError | null = null;
    let wake: (() => void) | null = null;
    // Before the route is known the hard cap applies; the route's own limit is checked when it asks.
    const hardCap = LIMITS.maxJsonBodyBytes * 4;
    this.#res.onData((chunk, isLast) => {
      size += chunk.byteLength;
      if (size > hardCap) {
        failed ??= new MillraceError('body_too_large', `the body is over ${hardCap} bytes`);
        chunks.length = 0;
      } else if (failed === null) {
        chunks.push(Buffer.from(chunk.slice(0)));
      }
      if (isLast) done = true;
      if (done || failed !== null) wake?.();
    });
    this.signal.addEventListener('abort', () => wake?.());
    return async (maxBytes) => {
      if (!done && failed === null && !this.#ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (failed !== null) throw failed;
      if (!done) throw new MillraceError('body_invalid', 'the client left before the body was complete');
      if (size > maxBytes) {
        throw new MillraceError('body_too_large', `the body has ${size} bytes, the limit is ${maxBytes}`);
      }
      return Buffer.concat(chunks);
    };
  }
}

/**
 * Copies what a handler may need out of a request, whose own object dies when the handler first awaits. Call it before
 * the first await.
 */
export function readExchange(req: HttpRequest, responder: Responder): HttpExchange {
  const headers = new Map<string, string>();
  req.forEach((name, value) => headers.set(name, value));
  const method = req.getMethod().toUpperCase();
  const hasBody = method !== 'GET' && method !== 'HEAD';
  return {
    method,
    path: req.getUrl(),
    query: req.getQuery() ?? '',
    header: (name) => headers.get(name),
    headers,
    body: hasBody ? responder.collect() : () => Promise.resolve(Buffer.alloc(0)),
    signal: responder.signal,
  };
}
