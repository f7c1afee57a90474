import type { StoreKind, StoreSettings } from '../config/index.ts';
import { DUCKDB_TRAITS, openDuckDbStore } from './duckdb/index.ts';
import { INFLUX_TRAITS, openInfluxStore } from './influx/index.ts';
import type { Store, StoreTraits } from './store.ts';

/** How a store is opened, and what can be known of it before. */
export interface StoreEntry<Kind extends StoreKind> {
  traits: StoreTraits;
  /** `path` of something in the data folder. */
  open(settings: StoreSettings<Kind>, path: (name: string) => string): Promise<Store>;
}

/** Every store. Their settings are in the table of the same keys in src/config. */
export const STORES: { readonly [Kind in StoreKind]: StoreEntry<Kind> } = {
  duckdb: {
    traits: DUCKDB_TRAITS,
    open: (_settings, path) => openDuckDbStore({ path: path('points.duckdb') }),
  },
  influxdb: {
    traits: INFLUX_TRAITS,
    open: (settings) =>
      openInfluxStore({
        url: settings['influx-url'],
        token: settings['influx-token'],
        org: settings['influx-org'],
        bucket: settings['influx-bucket'],
      }),
  },
};

/** Opens the store that the settings name. One on a server that is away opens all the same and says so. */
export function openStore<Kind extends StoreKind>(
  settings: StoreSettings<Kind>,
  path: (name: string) => string,
): Promise<Store> {
  return STORES[settings.store].open(settings, path);
}
