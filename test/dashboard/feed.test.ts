import { describe, expect, test } from '@jest/globals';
import type { TailHandlers, TailRequest } from '../../src/client/index.ts';
import { Feed } from '../../src/dashboard/feed.ts';
import type { FeedRequest } from '../../src/dashboard/feed.ts';

const REQUEST: FeedRequest = {
  measurement: 'environment',
  field: 'temperature',
  devices: ['a', 'b'],
  window: '15m',
  windowMs: 900_000,
};
const NOON = Date.parse('2026-01-01T12:00:00Z');

interface Subscribed {
  request: TailRequest;
  handlers: TailHandlers;
  ended: boolean;
}

/** The tail's client as the feed sees it: what was asked for, and a hand on what comes. */
function tailing() {
  const subscriptions: Subscribed[] = [];
  let nowMs = NOON;
  const tail = {
    subscribe(request: TailRequest, handlers: TailHandlers) {
      const subscribed = { request, handlers, ended: false };
      subscriptions.push(subscribed);
      return { id: '1', cursor: null, unsubscribe: () => void (subscribed.ended = true) };
    },
  };
  const feed = new Feed(tail, () => nowMs);
  const current = (): Subscribed => {
    const last = subscriptions.at(-1);
    if (last === undefined) throw new Error('nothing is subscribed');
    return last;
  };
  const rows = (...cells: [string, string, number | string | boolean | null][]) =>
    current().handlers.onRows(cells, ['time', 'device', 'temperature']);
  const points = () =>
    feed.lines(NOON).map(({ device, points }) => [device, [...points.times], [...points.values]]);
  return { feed, subscriptions, current, rows, points, pass: (ms: number) => (nowMs += ms) };
}

const away = { type: 'error', id: '1', code: 'store_unavailable', message: 'the store is away' } as const;
const gap = { type: 'gap', id: '1', from: 'x', to: 'y', missed: 3, query: '' } as const;

describe('the feed of the chart', () => {
  test('asks for the window, then for what comes', () => {
    const { feed, current } = tailing();
    feed.follow(REQUEST);
    expect(current().request).toEqual({
      measurement: 'environment',
      field: 'temperature',
      device: ['a', 'b'],
      from: '-15m',
    });
    expect(feed.phase).toEqual({ name: 'history' });
    current().handlers.onLive?.();
    expect(feed.phase).toEqual({ name: 'live' });
    expect(feed.liveSinceMs).toBe(NOON);
  });

  test('sorts rows into one line per device, late ones in their places', () => {
    const { feed, rows, points } = tailing();
    feed.follow(REQUEST);
    rows(
      ['2026-01-01T11:59:58Z', 'a', 1],
      ['2026-01-01T11:59:59.5Z', 'b', 2],
      ['2026-01-01T12:00:00Z', 'a', 3],
    );
    rows(['2026-01-01T11:59:59Z', 'a', 9], ['2026-01-01T11:59:59Z', 'a', null]);
    expect(points()).toEqual([
      ['a', [NOON - 2_000, NOON - 1_000, NOON], [1, 9, 3]],
      ['b', [NOON - 500], [2]],
    ]);
  });

  test('takes booleans and integers that travel as text for numbers', () => {
    const { feed, rows, points } = tailing();
    feed.follow(REQUEST);
    rows(['2026-01-01T12:00:00Z', 'a', true], ['2026-01-01T12:00:00Z', 'b', '9007199254740993']);
    expect(points().map(([, , values]) => values)).toEqual([[1], [9_007_199_254_740_992]]);
  });

  test('keeps the lines that stay when devices change, and no others', () => {
    const { feed, rows, points, subscriptions } = tailing();
    feed.follow(REQUEST);
    rows(['2026-01-01T12:00:00Z', 'a', 1], ['2026-01-01T12:00:00Z', 'b', 2]);
    feed.follow({ ...REQUEST, devices: ['b', 'c'] });
    expect(subscriptions.map(({ ended }) => ended)).toEqual([true, false]);
    expect(points()).toEqual([
      ['b', [NOON], [2]],
      ['c', [], []],
    ]);
  });

  test('begins anew for another field', () => {
    const { feed, rows, points } = tailing();
    feed.follow(REQUEST);
    rows(['2026-01-01T12:00:00Z', 'a', 1]);
    feed.follow({ ...REQUEST, field: 'humidity' });
    expect(points()).toEqual([
      ['a', [], []],
      ['b', [], []],
    ]);
  });

  test('goes on live while the store is away, and reads history once it is back', () => {
    const { feed, current, subscriptions, rows, points } = tailing();
    feed.follow(REQUEST);
    current().handlers.onError?.(away, true);
    expect(subscriptions[0]?.ended).toBe(true);
    expect(current().request.from).toBe('now');
    current().handlers.onLive?.();
    expect(feed.phase).toEqual({ name: 'live_only' });
    rows(['2026-01-01T12:00:00Z', 'a', 1]);
    feed.storeIsUp();
    expect(current().request.from).toBe('-15m');
    expect(points()[0]).toEqual(['a', [NOON], [1]]);
  });

  test('reads again what it missed, but not again and again', () => {
    const { feed, current, subscriptions, pass } = tailing();
    feed.follow(REQUEST);
    current().handlers.onLive?.();
    current().handlers.onGap?.(gap);
    expect(subscriptions).toHaveLength(2);
    current().handlers.onLive?.();
    current().handlers.onGap?.(gap);
    expect(subscriptions).toHaveLength(2);
    pass(60_000);
    current().handlers.onGap?.(gap);
    expect(subscriptions).toHaveLength(3);
    expect(feed.gaps).toBe(3);
  });

  test('says why it stopped, and tries again with the store', () => {
    const { feed, current, subscriptions } = tailing();
    feed.follow(REQUEST);
    current().handlers.onError?.({ ...away, code: 'field_unknown', message: 'no such field' }, false);
    expect(feed.phase).toEqual({ name: 'failed', message: 'no such field' });
    feed.storeIsUp();
    expect(subscriptions).toHaveLength(2);
  });

  test('asks for nothing where nothing is drawn', () => {
    const { feed, subscriptions } = tailing();
    feed.follow({ ...REQUEST, devices: [] });
    feed.follow(null);
    expect(subscriptions).toEqual([]);
    expect(feed.phase).toEqual({ name: 'idle' });
  });
});
