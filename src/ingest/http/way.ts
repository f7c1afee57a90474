import { MillraceError } from '../../core/index.ts';
import {
  asMillraceError,
  isPreflight,
  preflight,
  problem,
  withCors,
  type Edge,
  type HttpAnswer,
  type HttpExchange,
} from '../../net/index.ts';
import type { IngestHub } from '../hub.ts';
import type { WayIn } from '../way-in.ts';
import { answerOf } from './answer.ts';
import { contentTypeOf, idempotencyKeyOf, introductionOf } from './request.ts';
import { CODING_NAMES, codingOf, unpack } from './unpack.ts';

export const FRAMES_PATH = '/v1/frames';
const METHODS = 'POST';

/** Opens `POST /v1/frames`, the way in by HTTP. */
export function openHttp(hub: IngestHub, edge: Edge): WayIn {
  const way = new HttpIngest(hub);
  edge.http((exchange) => way.answer(exchange), FRAMES_PATH);
  return { connections: 0, goaway: () => {}, end: () => {} };
}

/** Takes a body's frames for a device, and answers when they are on disk. */
type TakeBody = (exchange: HttpExchange, device: string) => Promise<HttpAnswer>;

class HttpIngest {
  readonly #hub: IngestHub;
  /** By the body's media type. */
  readonly #bodies: Readonly<Record<string, TakeBody>> = {
    'avro/binary': (exchange, device) => this.#takeFrame(exchange, device),
  };

  constructor(hub: IngestHub) {
    this.#hub = hub;
  }

  /** Never rejects for what a client did. A defect is thrown on, for the edge to log and answer. */
  async answer(exchange: HttpExchange): Promise<HttpAnswer> {
    const { origins } = this.#hub.parts;
    let answer: HttpAnswer;
    try {
      answer = isPreflight(exchange) ? preflight(exchange, METHODS, origins) : await this.#take(exchange);
    } catch (error) {
      const known = asMillraceError(error);
      if (known.code === 'internal') throw error;
      answer = problem(known, REFUSAL_HEADERS[known.code] ?? {});
    }
    answer.headers['X-Content-Type-Options'] = 'nosniff';
    return withCors(exchange, answer, origins);
  }

  /** Waits for nothing before it has asked for the body: see HttpExchange.body. */
  async #take(exchange: HttpExchange): Promise<HttpAnswer> {
    if (exchange.method !== METHODS) {
      throw new MillraceError('method_not_allowed', `frames are sent with ${METHODS}`);
    }
    const { device } = this.#hub.identify(introductionOf(exchange));
    const type = contentTypeOf(exchange);
    const take = Object.hasOwn(this.#bodies, type) ? this.#bodies[type] : undefined;
    if (take !== undefined) return take(exchange, device);
    throw new MillraceError(
      'content_type_unsupported',
      `frames come as Content-Type ${Object.keys(this.#bodies).join(', ')}, not as "${type.slice(0, 60)}"`,
    );
  }

  async #takeFrame(exchange: HttpExchange, device: string): Promise<HttpAnswer> {
    const { maxFrameBytes } = this.#hub.parts.limits;
    const coding = codingOf(exchange.header('content-encoding'));
    const key = idempotencyKeyOf(exchange);
    this.#hub.admission.checkAccepting();
    const body = await exchange.body(maxFrameBytes);
    const startMs = performance.now();
    const frame = coding === 'identity' ? body : await unpack(body, coding, maxFrameBytes);
    const result = await this.#hub.intake.take(
      device,
      'http',
      [frame],
      'refuse',
      key === null ? null : { key, first: 0 },
    );
    this.#hub.parts.onAck(performance.now() - startMs);
    return answerOf(result);
  }
}

/** What a refusal says in headers beside its problem. */
const REFUSAL_HEADERS: Readonly<Partial<Record<string, Record<string, string>>>> = {
  method_not_allowed: { Allow: METHODS },
  content_encoding_unsupported: { 'Accept-Encoding': CODING_NAMES },
};
