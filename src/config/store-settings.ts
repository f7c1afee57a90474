import { optional, setting, text, url, type Setting, type ValueOf } from './setting.ts';

/**
 * The stores that there are, each with its settings: an entry here makes a store that can be chosen. A setting without
 * a fallback has to be given where its store is the chosen one.
 */
export const STORE_SETTINGS = {
  duckdb: {},
  influxdb: {
    'influx-url': setting(
      'INFLUX_URL',
      optional(url),
      'an http:// or https:// URL',
      null,
      'InfluxDB 2.7 server; a user and password in it are not used',
    ),
    'influx-token': setting(
      'INFLUX_TOKEN',
      optional(text),
      'a token',
      null,
      'token that may read and write the bucket',
      true,
    ),
    'influx-org': setting('INFLUX_ORG', optional(text), 'a name', null, 'organisation of the bucket'),
    'influx-bucket': setting('INFLUX_BUCKET', optional(text), 'a name', null, 'bucket to write to'),
  },
} satisfies Record<string, Record<string, Setting<unknown>>>;

type StoreTable = typeof STORE_SETTINGS;
/** A store's name, in the settings and for people. */
export type StoreKind = keyof StoreTable;
export const STORE_KINDS = Object.keys(STORE_SETTINGS) as readonly StoreKind[];

export type StoreSettingKey = { [Kind in StoreKind]: keyof StoreTable[Kind] }[StoreKind];
/** The settings of all stores together. */
export const ALL_STORE_SETTINGS = Object.fromEntries(
  Object.values(STORE_SETTINGS).flatMap((settings) => Object.entries(settings)),
) as { [Key in StoreSettingKey]: Extract<StoreTable[StoreKind], Record<Key, unknown>>[Key] };

/** The name of a store with exactly its own settings: one of these for each store. */
export type StoreSettings<Kind extends StoreKind = StoreKind> = {
  [Each in Kind]: { readonly store: Each } & {
    readonly [Key in keyof StoreTable[Each]]: NonNullable<ValueOf<StoreTable[Each][Key]>>;
  };
}[Kind];

/** The settings that the chosen store has to know and nobody gave. */
export function missingStoreSettings(
  kind: StoreKind,
  values: Readonly<Record<string, unknown>>,
): StoreSettingKey[] {
  const keys = Object.keys(STORE_SETTINGS[kind]) as StoreSettingKey[];
  return keys.filter((key) => (values[key] ?? null) === null);
}
