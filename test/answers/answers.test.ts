import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { Answers, HeldAnswers, ReadPlaces, type OpenAnswer } from '../../src/answers/index.ts';
import { LIMITS, MillraceError } from '../../src/core/index.ts';
import { until } from '../fixtures/until.ts';
import { countingStore, rowsRequest } from './store.ts';

const never = new AbortController().signal;

async function rest(answer: OpenAnswer): Promise<Buffer> {
  const parts = [answer.first.bytes];
  for (let { last } = answer.first; !last;) {
    const piece = await answer.next();
    expect(piece.bytes.length).toBeLessThanOrEqual(LIMITS.answerPieceBytes);
    parts.push(piece.bytes);
    ({ last } = piece);
  }
  return Buffer.concat(parts);
}

/** Its code, once it has rejected. */
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof MillraceError ? error.code : String(error)),
  );

describe('an answer in pieces', () => {
  test.each(['gzip', 'identity'] as const)(
    'has the same bytes as %s, as a page and as a stream',
    async (encoding) => {
      const { store, state } = countingStore(20, 1_000);
      const answers = new Answers(() => store);
      const plain = await rest(await answers.open(rowsRequest(), never));
      expect(plain.toString().split('\r\n').length).toBe(20_002);
      for (const limit of [null, 1_000_000]) {
        const bytes = await rest(await answers.open(rowsRequest({ encoding, limit }), never));
        expect((encoding === 'gzip' ? gunzipSync(bytes) : bytes).equals(plain)).toBe(true);
      }
      expect(state.open).toBe(0);
      expect(answers.places.counts()).toMatchObject({
        heldBytes: 0,
        large: { open: 0, working: 0, parked: 0 },
      });
    },
  );

  test('holds a few pieces of a stream and no place of the work while its reader takes nothing', async () => {
    const { store } = countingStore(10_000, 1_000);
    const answers = new Answers(() => store);
    const parked = await Promise.all(Array.from({ length: 20 }, () => answers.open(rowsRequest(), never)));
    expect(answers.places.counts().large).toEqual({
      working: 0,
      waiting: 0,
      open: 20,
      queued: 0,
      parked: 20,
    });
    expect(answers.places.counts().heldBytes).toBeLessThan(20 * 2 * LIMITS.answerSliceChars);
    // Twenty of them stand still, and another one is read to its end.
    const small = countingStore(3, 10);
    const other = new Answers(() => small.store, answers.places);
    expect((await rest(await other.open(rowsRequest(), never))).toString().split('\r\n').length).toBe(32);
    await Promise.all(parked.map((answer) => answer.close()));
    expect(answers.places.counts()).toMatchObject({ heldBytes: 0, large: { open: 0 } });
  });

  test('is freed wherever its reader leaves', async () => {
    const { store, state } = countingStore(1_000, 1_000);
    const answers = new Answers(() => store);
    for (const change of [{}, { encoding: 'gzip' }, { limit: 1_000_000 }] as const) {
      for (const piecesTaken of [0, 1, 3]) {
        const client = new AbortController();
        const opening = answers.open(rowsRequest(change), client.signal);
        if (piecesTaken === 0) client.abort();
        const answer = await opening.catch(() => null);
        for (let i = 1; i < piecesTaken; i++) await answer?.next();
        client.abort();
        await until('the end of the read', () => state.open === 0);
        expect(answers.places.counts()).toMatchObject({
          heldBytes: 0,
          large: { open: 0, working: 0, waiting: 0, parked: 0 },
        });
        if (answer !== null) expect(await codeOf(answer.next())).toBe('query_timeout');
      }
    }
    expect(answers.places.held.reserved).toBe(0);
  });
});

describe('the entity tag', () => {
  const tagOf = async (rows: number, change: object = {}): Promise<string | null> => {
    const answers = new Answers(() => countingStore(2, rows).store);
    const answer = await answers.open(rowsRequest({ limit: 1_000, form: 'json', ...change }), never);
    await answer.close();
    return answer.facts.etag;
  };

  test('is of the rows alone: not of where the tail goes on', async () => {
    const tag = await tagOf(10);
    expect(tag).toMatch(/^"[\w-]+"$/);
    expect(await tagOf(10, { journal: { epoch: 'another', settled: 7 } })).toBe(tag);
    expect(await tagOf(11)).not.toBe(tag);
  });

  test('differs from form to form, from encoding to encoding, and where a page ends early', async () => {
    const tags = await Promise.all([
      tagOf(10),
      tagOf(10, { form: 'csv' }),
      tagOf(10, { encoding: 'gzip' }),
      tagOf(10, { limit: 19 }),
    ]);
    expect(new Set(tags).size).toBe(4);
  });
});

describe('held answers', () => {
  const page = rowsRequest({ limit: 1_000_000 });

  test('wait for room when they are large, and small ones do not', async () => {
    const held = new HeldAnswers(LIMITS.queryMaxAnswerBytes);
    const places = new ReadPlaces({ held });
    const large = countingStore(100, 1_000);
    const answers = new Answers(() => large.store, places);
    const first = await answers.open(page, never);
    const second = answers.open(page, never);
    const small = countingStore(1, 10);
    const third = await new Answers(() => small.store, places).open(rowsRequest({ limit: 100 }), never);
    expect(third.first.last).toBe(true);
    await until('the second one at work', () => places.counts().large.open === 2);
    expect(held.reserved).toBeLessThanOrEqual(2 * LIMITS.queryMaxAnswerBytes);
    await rest(first);
    await rest(await second);
    expect([held.held, held.reserved]).toEqual([0, 0]);
  });

  test('are refused when there is no room in time', async () => {
    const held = new HeldAnswers(1, 1);
    const store = countingStore(100, 1_000);
    const answers = new Answers(() => store.store, new ReadPlaces({ held }));
    const first = await answers.open(page, never);
    expect(await codeOf(answers.open(page, never))).toBe('too_many_queries');
    expect(store.state.open).toBe(0);
    await first.close();
    expect([held.held, held.reserved]).toEqual([0, 0]);
    await rest(await answers.open(page, never));
  });
});

describe('a reader that takes nothing', () => {
  test('loses its answer after a time, and earlier where others wait for its place', async () => {
    const clock = { ms: 0, nowMs: () => clock.ms };
    const places = new ReadPlaces({ clock, largeAnswers: 2 });
    const { store, state } = countingStore(1_000, 1_000);
    const answers = new Answers(() => store, places);
    const oldest = await answers.open(rowsRequest(), never);
    clock.ms = 10;
    const steady = await answers.open(rowsRequest(), never);
    clock.ms = LIMITS.answerContestedMs - 1;
    places.look();
    expect(state.open).toBe(2);
    // Nobody waits: both stay.
    clock.ms = LIMITS.answerContestedMs + 10;
    await steady.next();
    places.look();
    expect(state.open).toBe(2);
    const third = answers.open(rowsRequest(), never);
    places.look();
    const opened = await third;
    expect(await codeOf(oldest.next())).toBe('slow_consumer');
    expect(places.counts()).toMatchObject({ cut: 1, large: { open: 2, queued: 0 } });
    await steady.next();
    clock.ms += LIMITS.answerStalledMs;
    places.look();
    expect([await codeOf(steady.next()), await codeOf(opened.next())]).toEqual([
      'slow_consumer',
      'slow_consumer',
    ]);
    expect(state.open).toBe(0);
  });
});

describe('places', () => {
  test('of small reads are their own: they never wait behind large ones', async () => {
    const places = new ReadPlaces({ largeAtWork: 1 });
    const stuck = await places.work.large.take();
    const { store } = countingStore(1, 10);
    const answers = new Answers(() => store, places);
    const large = answers.open(rowsRequest(), never);
    await until('the large one to wait', () => places.counts().large.waiting === 1);
    const small = await answers.open(rowsRequest({ limit: 10 }), never);
    expect(small.first.last).toBe(true);
    stuck();
    await (await large).close();
  });

  test('that are waited for do not count as time that the query costs the store', async () => {
    const places = new ReadPlaces({ largeAtWork: 1 });
    const stuck = await places.work.large.take();
    const { store } = countingStore(1, 10);
    const waiting = new Answers(() => store, places).open(rowsRequest({ timeoutMs: 300 }), never);
    const startMs = performance.now();
    await until('more than its time', () => performance.now() > startMs + 300);
    stuck();
    expect((await rest(await waiting)).length).toBeGreaterThan(0);
  });
});
