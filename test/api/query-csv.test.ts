import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApi } from '../../src/api/index.ts';
import { DEVICE_COLUMN, MillraceError, TIME_COLUMN, batchOfRows } from '../../src/core/index.ts';
import type { Answer } from '../../src/store/index.ts';
import { until } from '../fixtures/until.ts';
import { callApi, exchangeOf, meter, openApiFixture } from './fixture.ts';

let api: Awaited<ReturnType<typeof openApiFixture>>;
beforeAll(async () => {
  api = await openApiFixture();
  await api.write([
    meter(30, 'a', { power: null, note: 'say "hi"' }),
    meter(20, 'b', { power: Math.fround(0.1) }),
    meter(10, 'c'),
  ]);
});
afterAll(() => api.close());

const base = '/v1/query?measurement=meter&field=power&field=note';

describe('an answer as CSV', () => {
  test('has a header line, all rows, and the tail in a header', async () => {
    const json = await api.call(base);
    const csv = await api.call(`${base}&format=csv`);
    expect(csv.headers['Content-Type']).toContain('text/csv');
    expect(csv.text).toBe(
      'time,device,site,phase,power,note\r\n' +
        '2026-03-01T11:59:30Z,a,roof,L1,,"say ""hi"""\r\n' +
        '2026-03-01T11:59:40Z,b,roof,L1,0.1,\r\n' +
        '2026-03-01T11:59:50Z,c,roof,L1,1.5,\r\n',
    );
    expect(csv.headers['Millrace-Tail']).toBe(json.json['tail']);
    expect(csv.headers['Millrace-Cursor']).toBeUndefined();
    expect(csv.headers['ETag']).toBeUndefined();
    expect((await api.call(base, { headers: { accept: 'text/csv' } })).text).toBe(csv.text);
  });

  test('with a limit tells in a header where to go on', async () => {
    const first = await api.call(`${base}&format=csv&limit=2`);
    expect(first.text.split('\r\n').length).toBe(4);
    const cursor = first.headers['Millrace-Cursor'] ?? '';
    // The rest without a limit, and the rest in another form: the cursor names a place, not a form.
    const rest = await api.call(`${base}&format=csv&cursor=${cursor}`);
    expect(rest.text).toBe('time,device,site,phase,power,note\r\n2026-03-01T11:59:50Z,c,roof,L1,1.5,\r\n');
    expect((await api.call(`${base}&cursor=${cursor}`)).rows.length).toBe(1);
  });

  test('without rows is the header line alone', async () => {
    expect((await api.call(`${base}&format=csv&device=none`)).text).toBe(
      'time,device,site,phase,power,note\r\n',
    );
  });

  test('goes on behind the aggregates that were given', async () => {
    const query = '/v1/query?measurement=meter&format=csv&fn=count&field=energy&group=device';
    const first = await api.call(`${query}&limit=1`);
    const rest = await api.call(`${query}&cursor=${first.headers['Millrace-Cursor']}`);
    expect(
      rest.text
        .split('\r\n')
        .slice(1, -1)
        .map((line) => line.split(',')[1]),
    ).toEqual(['b', 'c']);
  });
});

/** A store whose chunks the test gives, and that tells whether the reading was given back. */
function storeOf(chunks: () => AsyncGenerator<[bigint, string][]>, exact = true) {
  const state = { open: 0 };
  const columns = [TIME_COLUMN, DEVICE_COLUMN];
  async function* counted() {
    state.open++;
    try {
      for await (const rows of chunks()) yield batchOfRows(columns, rows);
    } finally {
      state.open--;
    }
  }
  const rows = (): Promise<Answer> =>
    Promise.resolve({
      columns,
      view: () => ({ position: 9, epoch: 'e', exact }),
      chunks: counted(),
    });
  return { state, handle: createApi({ ...api.options, store: { ...bound(), rows } }) };
}

function bound() {
  const { store } = api;
  return {
    aggregate: store.aggregate.bind(store),
    latest: store.latest.bind(store),
    devices: store.devices.bind(store),
    device: store.device.bind(store),
  };
}

describe('a streamed answer', () => {
  const endless = async function* (): AsyncGenerator<[bigint, string][]> {
    for (;;) yield [[0n, 'a']];
  };

  test('gives its query back when only its head was asked for', async () => {
    const { state, handle } = storeOf(endless);
    const reply = await callApi(handle, `${base}&format=csv`, { method: 'HEAD' });
    expect(reply.status).toBe(200);
    expect(state.open).toBe(0);
  });

  test('gives its query back when the client leaves before or after its head was made', async () => {
    const { state, handle } = storeOf(endless);
    const client = new AbortController();
    await handle(exchangeOf(`${base}&format=csv`, { signal: client.signal }));
    expect(state.open).toBe(1);
    client.abort();
    await until('the end of the query', () => state.open === 0);
    await handle(exchangeOf(`${base}&format=csv`, { signal: client.signal }));
    expect(state.open).toBe(0);
  });

  test('is a problem when the store fails at once', async () => {
    // eslint-disable-next-line require-yield
    const { handle } = storeOf(async function* () {
      throw new MillraceError('store_unavailable', 'away');
    });
    const reply = await callApi(handle, `${base}&format=csv`);
    expect([reply.status, reply.json['code']]).toEqual([503, 'store_unavailable']);
  });

  test('fails later when the store does, and does not look whole', async () => {
    const { state, handle } = storeOf(async function* () {
      yield [[0n, 'a']];
      throw new MillraceError('store_unavailable', 'away');
    });
    await expect(callApi(handle, `${base}&format=csv`)).rejects.toThrow('away');
    expect(state.open).toBe(0);
  });

  test('of a store that is not exact has the tail of before', async () => {
    const some = async function* (): AsyncGenerator<[bigint, string][]> {
      yield [[0n, 'a']];
    };
    const exact = await callApi(storeOf(some).handle, `${base}&format=csv`);
    const loose = await callApi(storeOf(some, false).handle, `${base}&format=csv`);
    expect(Buffer.from(exact.headers['Millrace-Tail'] ?? '', 'base64url').toString()).toContain(',9,');
    expect(Buffer.from(loose.headers['Millrace-Tail'] ?? '', 'base64url').toString()).toContain(',0,');
  });
});
