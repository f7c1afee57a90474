import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openDuckDbStore } from '../../../src/store/index.ts';
import { storeSuite } from '../suite.ts';

storeSuite('the DuckDB store', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-duckdb-'));
  const store = await openDuckDbStore({ path: path.join(folder, 'points.duckdb') });
  return {
    store,
    close: async () => {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
});
