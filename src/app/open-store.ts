import type { Settings } from '../config/index.ts';
import { MillraceError } from '../core/index.ts';
import { openDuckDbStore, openInfluxStore, type Store } from '../store/index.ts';

/** The store that the settings name; `path` of something in the data folder. InfluxDB may be away: the store opens all the same and says so. */
export function openStore(settings: Settings, path: (name: string) => string): Promise<Store> {
  if (settings.store === 'duckdb') return openDuckDbStore({ path: path('points.duckdb') });
  const { 'influx-url': url, 'influx-token': token, 'influx-org': org, 'influx-bucket': bucket } = settings;
  if (url === null || token === null || org === null || bucket === null) {
    throw new MillraceError(
      'config_invalid',
      'the store influxdb needs its URL, token, organisation and bucket',
    );
  }
  return openInfluxStore({ url, token, org, bucket });
}
