import { LIMITS } from '../../../core/index.ts';

/** Share of a new answer in what is remembered of earlier ones. */
const NEWEST_SHARE = 0.25;
/** So much of the way back to the present the best time goes with each look: a server may become slower for good. */
const FORGOTTEN_SHARE = 0.02;
/** With fewer of the connections waiting for the server's other work, one more pays; with more, half of them do as well. */
const FEW_WAITING = 1;
const MANY_WAITING = 2;

/**
 * How many points a body has and over how many connections bodies go, by how the server answers: a step up while that
 * pays, half when it does not. A body grows until answers are slow. Of connections the times per point tell how many
 * only wait in the server's queue: c of them at t ms per point, where t0 is the best seen, have c × (1 - t0 / t)
 * there (the queue estimate of TCP Vegas; Brakmo and Peterson, 1995).
 */
export class SendRate {
  #points: number = LIMITS.influxBodyPoints;
  #connections: number = LIMITS.influxConnections;
  /** Milliseconds per point: smoothed, and the best. */
  #msPerPoint = 0;
  #best = Number.POSITIVE_INFINITY;
  /** Answers since the last look at the connections. */
  #answers = 0;

  /** Points of a body. */
  get points(): number {
    return this.#points;
  }

  get connections(): number {
    return this.#connections;
  }

  /** A body of so many points was taken after `ms`. */
  took(points: number, ms: number): void {
    if (ms > LIMITS.influxSlowMs) {
      this.#halvePoints();
      return;
    }
    // The rest of a write says little: its fixed part weighs more.
    if (points < this.#points / 2) return;
    const msPerPoint = ms / points;
    this.#msPerPoint =
      this.#msPerPoint === 0 ? msPerPoint : this.#msPerPoint + (msPerPoint - this.#msPerPoint) * NEWEST_SHARE;
    this.#best = Math.min(this.#best, this.#msPerPoint);
    this.#points = Math.min(LIMITS.influxBodyMaxPoints, this.#points + LIMITS.influxBodyStepPoints);
    // Answers to what was sent before the last change tell of it as it was.
    if (++this.#answers < 2 * this.#connections) return;
    this.#answers = 0;
    this.#look();
  }

  /** The server did not take a body, for reasons of its own: it is overloaded or away. */
  failed(): void {
    this.#halvePoints();
    this.#halveConnections();
  }

  #look(): void {
    const waiting = this.#connections * (1 - this.#best / this.#msPerPoint);
    if (waiting < FEW_WAITING) {
      this.#connections = Math.min(LIMITS.influxMaxConnections, this.#connections + 1);
    } else if (waiting > MANY_WAITING) {
      this.#halveConnections();
    }
    this.#best += (this.#msPerPoint - this.#best) * FORGOTTEN_SHARE;
  }

  #halvePoints(): void {
    this.#points = Math.max(LIMITS.influxBodyMinPoints, this.#points >> 1);
  }

  #halveConnections(): void {
    this.#answers = 0;
    this.#connections = Math.max(1, this.#connections >> 1);
  }
}
