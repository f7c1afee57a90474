import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach } from '@jest/globals';
import { openDuckDbStore, type DuckDbOptions, type Store } from '../../../src/store/index.ts';

/** Opens stores in a fresh folder per test; closes and removes all of it behind the test. */
export class DuckDbFolders {
  #folders: string[] = [];
  #stores: Store[] = [];

  constructor() {
    afterEach(async () => {
      for (const store of this.#stores) await store.close();
      for (const folder of this.#folders) await rm(folder, { recursive: true });
      this.#stores = [];
      this.#folders = [];
    });
  }

  /** The path of a database file in a new folder. */
  async file(): Promise<string> {
    const folder = await mkdtemp(path.join(tmpdir(), 'millrace-duckdb-'));
    this.#folders.push(folder);
    return path.join(folder, 'points.duckdb');
  }

  async open(file: string, options: Omit<DuckDbOptions, 'path'> = {}): Promise<Store> {
    const store = await openDuckDbStore({ path: file, ...options });
    this.#stores.push(store);
    return store;
  }
}
