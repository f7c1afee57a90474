import type { Answer, Store } from '../store/index.ts';
import { AnswerInMaking, stopped } from './making.ts';
import { ReadPlaces, sizeOf } from './read-places.ts';
import type { AnswerRequest, AnswerSource, OpenAnswer } from './request.ts';

/** What answers are read from. */
export type ReadableStore = Pick<Store, 'rows' | 'aggregate' | 'latest'>;

/** Makes answers out of a store of this process: reads, writes the form, tags, compresses, and cuts into pieces. */
export class Answers implements AnswerSource {
  readonly places: ReadPlaces;
  readonly #store: () => ReadableStore;

  /** `store` throws `store_unavailable` while there is none. */
  constructor(store: () => ReadableStore, places: ReadPlaces = new ReadPlaces()) {
    this.#store = store;
    this.places = places;
  }

  async open(request: AnswerRequest, client: AbortSignal): Promise<OpenAnswer> {
    const stop = new AbortController();
    const signal = AbortSignal.any([client, stop.signal]);
    try {
      const size = sizeOf(request);
      const place = await this.places.enter(size, signal, (error) => stop.abort(error));
      const making = new AnswerInMaking(request, place, this.places.held, signal);
      return await making.open(this.places.work[size], (inTime) => ask(this.#store(), request, inTime));
    } catch (error) {
      throw signal.aborted ? stopped(signal.reason) : error;
    }
  }
}

/** One row more than a page has tells whether there are more. */
function ask(store: ReadableStore, request: AnswerRequest, signal: AbortSignal): Promise<Answer> {
  const { plan, limit } = request;
  if (plan.kind === 'latest') return store.latest(plan.query, signal);
  const page = request.pages?.from ?? null;
  const continued = { limit: limit === null ? null : limit + 1, after: page };
  if (plan.kind === 'rows') return store.rows({ ...plan.query, ...continued }, signal);
  const { query } = plan;
  if (page === null) return store.aggregate({ ...query, ...continued }, signal);
  // Buckets depend on nothing outside of them: those that were given whole need not be asked for again.
  const { timeNs } = page;
  const fromNs = query.order === 'asc' && timeNs > query.fromNs ? timeNs : query.fromNs;
  const endNs = query.everyNs === null ? query.toNs : timeNs + query.everyNs;
  const toNs = query.order === 'desc' && endNs < query.toNs ? endNs : query.toNs;
  return store.aggregate({ ...query, ...continued, fromNs, toNs }, signal);
}
