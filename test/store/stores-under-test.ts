import { join } from 'node:path';
import { describe } from '@jest/globals';
import { STORE_KINDS, type StoreKind } from '../../src/config/index.ts';
import { openDuckDbStore, openInfluxStore, type Store } from '../../src/store/index.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { describeWithInflux, startInflux } from '../fixtures/influxd.ts';

/** Makes an empty store's place, and returns the way to open the store there, again and again. */
type Place = () => Promise<() => Promise<Store>>;

/** How tests come by stores of one kind. */
interface StoreUnderTest {
  /** As people call it. */
  name: string;
  /** `describe`, which skips with a printed reason what cannot run on this machine. */
  describe: (name: string, tests: () => void) => void;
  start(): Promise<{ place: Place; stop(): Promise<void> }>;
}

const STORES_UNDER_TEST: Readonly<Record<StoreKind, StoreUnderTest>> = {
  duckdb: {
    name: 'DuckDB',
    describe,
    start: async () => {
      const folder = temporaryFolder();
      let files = 0;
      const place: Place = async () => {
        const path = join(folder.path, `points-${files++}.duckdb`);
        return () => openDuckDbStore({ path });
      };
      return { place, stop: async () => folder.remove() };
    },
  },
  influxdb: {
    name: 'InfluxDB',
    describe: describeWithInflux,
    start: async () => {
      const server = await startInflux();
      const { url, token, org } = server;
      const place: Place = async () => {
        const bucket = await server.newBucket();
        return () => openInfluxStore({ url, token, org, bucket });
      };
      return { place, stop: () => server.stop() };
    },
  },
};

/** Describes the same for each store. */
export function describeStores(
  title: (name: string) => string,
  tests: (kind: StoreKind, store: StoreUnderTest) => void,
): void {
  for (const kind of STORE_KINDS) {
    const store = STORES_UNDER_TEST[kind];
    store.describe(title(store.name), () => tests(kind, store));
  }
}
