import type { RefusedPoint } from '../../store.ts';
import type { BodyPoint } from './body.ts';
import { droppedCount, reasonOf, refusedLines, suspicionOf, type Suspicion } from './reasons.ts';
import type { WriteReply } from '../transport/transport.ts';

/** A body is taken apart so often at most; what is refused after that is refused whole. */
const MAX_SPLITS = 128;

/** A point of more rows than this is refused whole: each row tried alone costs a request. */
const MAX_ROWS_ALONE = 128;

/** Sends points and says what the server made of them. */
export type SendPoints = (points: readonly BodyPoint[]) => Promise<WriteReply>;

/**
 * Finds the points that the server refuses for good among those of a body that it did not take whole (`reply`), so
 * that a bad one costs neither its neighbours nor the rest of the batch, and returns their rows. Every other point is
 * written when this resolves. Reasons that name what they mean cost two requests each, others are found by
 * halving. Every step takes points out or halves a part, and their number is bounded, hence it ends. What was
 * written may be written again meanwhile: points are idempotent, and no two of them share series and time.
 */
export async function isolate(
  points: readonly BodyPoint[],
  reply: WriteReply,
  send: SendPoints,
): Promise<RefusedPoint[]> {
  const search = new Search(send);
  await search.run(points, reply);
  return search.refused;
}

class Search {
  readonly refused: RefusedPoint[] = [];
  readonly #send: SendPoints;
  #waiting: (readonly BodyPoint[])[] = [];
  #splitsLeft = MAX_SPLITS;
  /** Rows of refused points that held several: the first of each, the second of each, and so on. */
  #rowsAlone: BodyPoint[][] = [];

  constructor(send: SendPoints) {
    this.#send = send;
  }

  async run(points: readonly BodyPoint[], reply: WriteReply): Promise<void> {
    this.#judge(points, reply);
    await this.#settle();
    // In the order of the rows, so that later ones win over earlier ones.
    const layers = this.#rowsAlone;
    this.#rowsAlone = [];
    for (const layer of layers) {
      this.#waiting.push(layer);
      await this.#settle();
    }
  }

  /** Breadth first: when the splits end, the parts left are small ones. */
  async #settle(): Promise<void> {
    for (let part = this.#waiting.shift(); part !== undefined; part = this.#waiting.shift()) {
      if (part.length > 0) this.#judge(part, await this.#send(part));
    }
  }

  #judge(part: readonly BodyPoint[], { status, message }: WriteReply): void {
    if (status === 204) return;
    // It says nothing against the points, only that they are too many for one body.
    if (status === 413 && part.length > 1) return this.#halve(part);
    if (--this.#splitsLeft < 0 && part.length > 1) {
      return this.#refuse(part, `among ${part.length} points that InfluxDB refused: ${reasonOf(message)}`);
    }
    if (status === 400) {
      const bad = refusedLines(part, message);
      if (bad.size > 0) {
        this.#waiting.push(part.filter((point) => !bad.has(point)));
        for (const [point, reason] of bad) this.#refuse([point], reason);
        return;
      }
    }
    const suspicion = status === 422 ? suspicionOf(message) : null;
    const all = status === 422 && droppedCount(message) >= part.length;
    if (suspicion !== null) {
      const isSuspect = ({ refs }: BodyPoint): boolean => refs.some((ref) => suspicion.suspects(ref));
      const suspects = part.filter(isSuspect);
      if (suspects.length > 0 && (all || part.length === 1)) {
        this.#waiting.push(part.filter((point) => !isSuspect(point)));
        return this.#refuseRows(suspects, suspicion);
      }
      if (suspects.length > 0 && suspects.length < part.length) {
        this.#waiting.push(
          suspects,
          part.filter((point) => !isSuspect(point)),
        );
        return;
      }
    }
    if (all || part.length === 1) return this.#refuse(part, reasonOf(message));
    // A field's type and the bounds of retention hold for spans of time, so that halves by time become clear soonest.
    this.#halve(suspicion === null ? part : part.toSorted(byTime));
  }

  #halve(part: readonly BodyPoint[]): void {
    const middle = part.length >> 1;
    this.#waiting.push(part.slice(0, middle), part.slice(middle));
  }

  /** Refuses points for what only some of their rows hold; what is left of them is sent again. */
  #refuseRows(points: readonly BodyPoint[], suspicion: Suspicion): void {
    const { message } = suspicion;
    const left: BodyPoint[] = [];
    for (const point of points) {
      const bad = point.refs.map((ref) => suspicion.suspects(ref));
      point.refs.forEach((ref, i) => bad[i] === true && this.refused.push({ ...ref, message }));
      const rest = point.without(bad);
      if (rest !== null) left.push(rest);
    }
    this.#waiting.push(left);
  }

  #refuse(points: readonly BodyPoint[], message: string): void {
    for (const point of points) {
      const { refs } = point;
      if (refs.length === 1 || refs.length > MAX_ROWS_ALONE || this.#splitsLeft < 0) {
        for (const ref of refs) this.refused.push({ ...ref, message });
        continue;
      }
      // Only some of the rows that share a line may be bad: each is tried alone, in one request for all points.
      refs.forEach((_, i) => {
        const alone = point.without(refs.map((__, other) => other !== i));
        if (alone !== null) (this.#rowsAlone[i] ??= []).push(alone);
      });
    }
  }
}

function byTime(a: BodyPoint, b: BodyPoint): number {
  return a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0;
}
