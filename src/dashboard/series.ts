/**
 * The points of one line in order of time, within a moving window and a fixed bound of memory. Rows may come
 * in any order; of two with the same time the later one to come holds, as in the store.
 */
export interface Points {
  readonly times: readonly number[];
  readonly values: readonly number[];
}

/** Points of one line at most: 8 lines of them cost a few megabytes and draw in milliseconds. */
export const MAX_POINTS = 8_000;
/** When there are more, each of this many slices of the window keeps its lowest and its highest point. */
const SLICES = 1_500;
/** Late points that may wait to be sorted in. */
const MAX_LATE = 2_000;

export class PointSeries implements Points {
  #times: number[] = [];
  #values: number[] = [];
  #late: { timeMs: number; value: number }[] = [];
  #sliceMs = 0;

  get times(): readonly number[] {
    return this.#times;
  }

  get values(): readonly number[] {
    return this.#values;
  }

  /** The slice of time of which only the extremes are kept; 0 while every point is. */
  get sliceMs(): number {
    return this.#sliceMs;
  }

  add(timeMs: number, value: number): void {
    const newest = this.#times.at(-1);
    if (newest === undefined || timeMs > newest) {
      this.#times.push(timeMs);
      this.#values.push(value);
    } else if (timeMs === newest) {
      this.#values[this.#values.length - 1] = value;
    } else {
      this.#late.push({ timeMs, value });
      if (this.#late.length >= MAX_LATE) this.#sortIn();
    }
  }

  /** Puts late points in their places, drops what has left the window, and holds the bound. */
  settle(fromMs: number, windowMs: number): void {
    this.#sortIn();
    this.#trim(fromMs);
    if (this.#times.length <= MAX_POINTS) return;
    this.#sliceMs = Math.max(1, Math.ceil(windowMs / SLICES));
    this.#thin(this.#sliceMs);
    // Times far outside of the window, ahead of the clock, can still be too many.
    const excess = this.#times.length - MAX_POINTS;
    if (excess > 0) this.#dropFirst(excess);
  }

  #sortIn(): void {
    if (this.#late.length === 0) return;
    // A stable sort: of equal times the last one to come stays last, and overwrites.
    const late = this.#late.sort((a, b) => a.timeMs - b.timeMs);
    this.#late = [];
    const times: number[] = [];
    const values: number[] = [];
    const put = (timeMs: number, value: number) => {
      if (times.at(-1) === timeMs) {
        values[values.length - 1] = value;
      } else {
        times.push(timeMs);
        values.push(value);
      }
    };
    let next = 0;
    for (const [i, timeMs] of this.#times.entries()) {
      for (let item = late[next]; item !== undefined && item.timeMs < timeMs; item = late[++next]) {
        put(item.timeMs, item.value);
      }
      put(timeMs, this.#values[i] ?? 0);
    }
    for (let item = late[next]; item !== undefined; item = late[++next]) put(item.timeMs, item.value);
    this.#times = times;
    this.#values = values;
  }

  /** Keeps one point before the window, so that the line comes in from the edge. */
  #trim(fromMs: number): void {
    const inside = this.#times.findIndex((timeMs) => timeMs >= fromMs);
    const first = inside === -1 ? this.#times.length : inside;
    if (first > 1) this.#dropFirst(first - 1);
  }

  #dropFirst(count: number): void {
    this.#times.splice(0, count);
    this.#values.splice(0, count);
  }

  /** Slices are aligned to the epoch: thinning again what was thinned before keeps the same points. */
  #thin(sliceMs: number): void {
    const kept: number[] = [];
    const last = this.#times.length - 1;
    for (let start = 0; start <= last;) {
      const slice = Math.floor((this.#times[start] ?? 0) / sliceMs);
      let lowest = start;
      let highest = start;
      let end = start;
      for (; end <= last && Math.floor((this.#times[end] ?? 0) / sliceMs) === slice; end++) {
        const value = this.#values[end] ?? 0;
        if (value < (this.#values[lowest] ?? 0)) lowest = end;
        if (value > (this.#values[highest] ?? 0)) highest = end;
      }
      kept.push(...new Set([Math.min(lowest, highest), Math.max(lowest, highest)]));
      start = end;
    }
    if (kept.at(-1) !== last) kept.push(last);
    this.#times = kept.map((i) => this.#times[i] ?? 0);
    this.#values = kept.map((i) => this.#values[i] ?? 0);
  }
}
