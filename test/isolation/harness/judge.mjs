/** What was seen alone, beside an offender and after it, against what is allowed. */

const MB = 1024 ** 2;
/** The targets. Those with `times` are also bounded by so many times what is usual alone. */
export const TARGETS = {
  ack: { times: 10, maxMs: 250 },
  query: { times: 10, maxMs: 1_000 },
  healthz: { times: Infinity, maxMs: 250 },
  bytes: 1_500 * MB,
  normalWithinMs: 2_000,
};
/** Below this, ten times what is usual alone says more about the machine's timers than about the server. */
const LEAST_BOUND_MS = 20;

export function percentile(values, part) {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)];
}

/** Everything that the observer has told, in the order of its end; what still waits is as old as it is now. */
export class Seen {
  #samples = [];
  #waiting = [];

  hear({ samples, waiting }) {
    for (const sample of samples) this.#samples.push(sample);
    this.#waiting = waiting;
  }

  /** Figures of one kind among what was asked in [fromMs, toMs) or was still waiting then. */
  figures(kind, fromMs, toMs) {
    const answered = this.#samples.filter(
      (sample) => sample.kind === kind && sample.atMs < toMs && sample.atMs + sample.ms >= fromMs,
    );
    const nowMs = Date.now();
    const open = this.#waiting
      .filter((sample) => sample.kind === kind && sample.atMs < toMs)
      .map(({ atMs }) => nowMs - atMs);
    const good = answered.filter(({ why }) => why === null).map(({ ms }) => ms);
    const all = [...good, ...open];
    const failed = {};
    for (const { why } of answered) if (why !== null) failed[why] = (failed[why] ?? 0) + 1;
    return {
      answered: good.length,
      waiting: open.length,
      failed,
      p50: percentile(all, 0.5),
      p99: percentile(all, 0.99),
      max: all.length === 0 ? Number.NaN : Math.max(...all),
    };
  }

  /** When the last thing that was not within its bound ended, of what was asked or waited from `fromMs` on; null for none. */
  lastBadMs(bounds, fromMs) {
    const nowMs = Date.now();
    let last = null;
    for (const { kind, atMs, ms, why } of this.#samples) {
      if (atMs + ms >= fromMs && (why !== null || ms > bounds[kind])) last = Math.max(last ?? 0, atMs + ms);
    }
    for (const { kind, atMs } of this.#waiting) if (nowMs - atMs > bounds[kind]) last = nowMs;
    return last;
  }
}

/** What one answer may take, by what is usual alone. */
export function boundsOf(alone) {
  return Object.fromEntries(
    ['ack', 'query', 'healthz'].map((kind) => {
      const { times, maxMs } = TARGETS[kind];
      return [kind, Math.min(maxMs, Math.max(LEAST_BOUND_MS, times * alone[kind].p99))];
    }),
  );
}

/** Every target that was missed, in words. */
export function missed({ alone, beside, peakBytes, normalMs, ended, lost, complaints }) {
  if (ended !== null) return [ended, ...complaints];
  const bounds = boundsOf(alone);
  const ms = Math.round;
  const all = [...complaints];
  for (const kind of ['ack', 'query']) {
    const { p99, answered, failed } = beside[kind];
    if (answered === 0) all.push(`no ${kind}`);
    else if (!(p99 <= bounds[kind])) all.push(`${kind} p99 ${ms(p99)} > ${ms(bounds[kind])} ms`);
    if (kind === 'query' && !(beside.query.max <= TARGETS.query.maxMs)) {
      all.push(`query ${ms(beside.query.max)} > ${TARGETS.query.maxMs} ms`);
    }
    for (const [why, count] of Object.entries(failed)) all.push(`${count} × ${kind} ${why}`);
  }
  if (!(beside.healthz.max <= TARGETS.healthz.maxMs)) {
    all.push(`/healthz ${ms(beside.healthz.max)} > ${TARGETS.healthz.maxMs} ms`);
  }
  for (const [why, count] of Object.entries(beside.healthz.failed)) all.push(`${count} × /healthz ${why}`);
  if (peakBytes > TARGETS.bytes) all.push(`${ms(peakBytes / MB)} > ${TARGETS.bytes / MB} MB`);
  if (normalMs === null) all.push('not back to normal');
  else if (normalMs > TARGETS.normalWithinMs) all.push(`normal after ${(normalMs / 1_000).toFixed(1)} s`);
  if (lost !== 0)
    all.push(lost === null ? 'what was acknowledged cannot be read' : `${lost} acknowledged frames lost`);
  return all;
}
