import { LIMITS, steadyClock } from '../../../core/index.ts';
import type { RefusedPoint } from '../../store.ts';
import { BODY_BYTES, type Body, type BodyPool } from './body.ts';
import type { Encoder } from './encoder.ts';
import { isolate } from './isolate.ts';
import { SendRate } from './send-rate.ts';
import type { InfluxTransport, WriteReply } from '../transport/transport.ts';

/** However small the bodies that a server takes, ours get no smaller than this unless a point alone is too large. */
const MIN_BODY_BYTES = 8 * 1024;
/** Each body that was taken lets the next ones be larger by this share of them. */
const BODY_GROWTH = 1 / 64;

/**
 * Sends bodies of a size that the server takes: of bytes halved when it answers 413, and slowly larger again after that; of
 * points and connections by its answers.
 */
export class BodySender {
  readonly #transport: InfluxTransport;
  readonly #pool: BodyPool;
  readonly #rate: SendRate;
  #maxBytes = BODY_BYTES;

  constructor(transport: InfluxTransport, pool: BodyPool, rate = new SendRate()) {
    this.#transport = transport;
    this.#pool = pool;
    this.#rate = rate;
  }

  /** Over how many connections bodies are to go by now. */
  get connections(): number {
    return this.#rate.connections;
  }

  next(encoder: Encoder): Body | null {
    const { points, connections } = this.#rate;
    // A write that keeps all connections busy ends with bodies that share what is left, so that none of them waits long
    // for another. Of a smaller one they would only get smaller, and tell the rate nothing.
    const shared = encoder.rows >= points * connections;
    const share = Math.max(Math.ceil(encoder.left / connections), LIMITS.influxBodyPoints);
    return encoder.next(shared ? Math.min(points, share) : points, this.#maxBytes);
  }

  /** Resolves with the points refused for good, rejects with `store_unavailable`: see InfluxTransport.write. */
  async send(encoder: Encoder, body: Body): Promise<RefusedPoint[]> {
    const startMs = steadyClock.nowMs();
    const reply = await this.#write(body.bytes);
    if (reply.status === 204) {
      this.#rate.took(body.count, steadyClock.nowMs() - startMs);
      this.#maxBytes = Math.min(BODY_BYTES, this.#maxBytes * (1 + BODY_GROWTH));
      this.#pool.give(body);
      return [];
    }
    return isolate(encoder.points(body), reply, (points) =>
      this.#write(Buffer.concat(points.map((point) => point.bytes))),
    );
  }

  async #write(lines: Uint8Array): Promise<WriteReply> {
    // The last line needs no newline.
    const reply = await this.#transport.write(lines.subarray(0, -1)).catch((error: unknown) => {
      this.#rate.failed();
      throw error;
    });
    if (reply.status === 413) {
      this.#maxBytes = Math.max(MIN_BODY_BYTES, Math.min(this.#maxBytes, lines.length >> 1));
    }
    return reply;
  }
}
