import { expect, test } from '@jest/globals';
import { freePort } from '../../../fixtures/free-port.ts';
import { openInfluxStore } from '../../../../src/store/index.ts';
import { BASE_NS, batchOf, shape } from '../../points.ts';

const room = shape('room', { t: 'float' });
const POSITION = { epoch: 'e', position: 1, refused: [] };

test('points that the encoder itself stumbles over are refused, and the store is not taken to be away for them', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const store = await openInfluxStore({ url, token: 't', org: 'o', bucket: 'b' });
  try {
    const before = store.state();
    const batch = batchOf(room, [{ timeNs: BASE_NS, device: 'a', fields: { t: 1 } }]);
    const broken = Object.create(batch, { timeWords: { value: undefined } }) as typeof batch;
    await expect(store.write([broken], POSITION)).rejects.toMatchObject({ code: 'store_refused' });
    expect(store.state()).toEqual(before);
    await expect(store.write([batch], POSITION)).rejects.toMatchObject({ code: 'store_unavailable' });
  } finally {
    await store.close();
  }
});
