import { LIMITS } from '../core/index.ts';
import type { RowTimes, Settlement } from './journal.ts';

interface SettledSpan extends RowTimes {
  first: number;
  next: number;
}

/**
 * The times of the rows in frames that were settled since the process began, the oldest frames first: what is still
 * known of frames that the journal has dropped. Its size is bounded; what is old is known less closely.
 */
export class SettledTimes {
  readonly #maxSpans: number;
  #spans: SettledSpan[] = [];

  constructor(maxSpans: number = LIMITS.settledTimeSpans) {
    this.#maxSpans = maxSpans;
  }

  /** Takes in a settlement that is done. */
  record({ from, position, times }: Pick<Settlement, 'from' | 'position' | 'times'>): void {
    if (times === undefined || position <= from) return;
    this.#spans.push({ first: from, next: position, ...times });
    if (this.#spans.length > this.#maxSpans) this.#spans = halved(this.#spans);
  }

  /** Every row of the frames at [first, next) has a time in it; null where not all of them are known. */
  between(first: number, next: number): RowTimes | null {
    let known = first;
    const times = { fromMs: Infinity, toMs: -Infinity };
    for (const span of this.#spans) {
      if (span.next <= known) continue;
      if (known >= next || span.first > known) break;
      widen(times, span);
      known = span.next;
    }
    return known >= next && times.fromMs < times.toMs ? times : null;
  }
}

/** Each two neighbours as one, or without the older one where frames between them are not known. */
function halved(spans: readonly SettledSpan[]): SettledSpan[] {
  const merged: SettledSpan[] = [];
  for (let i = spans.length - 1; i >= 0; i -= 2) {
    const [newer, older] = [spans[i], spans[i - 1]];
    if (newer === undefined) continue;
    const span = { ...newer };
    if (older?.next === newer.first) {
      widen(span, older);
      span.first = older.first;
    }
    merged.unshift(span);
  }
  return merged;
}

function widen(times: RowTimes, by: RowTimes): void {
  times.fromMs = Math.min(times.fromMs, by.fromMs);
  times.toMs = Math.max(times.toMs, by.toMs);
}
