/** What the server answers, checked where it enters: anything malformed is null, unknown members are ignored. */
export interface Stats {
  devicesConnected: number;
  tails: number;
  readingsPerSecond: number;
  readingsTotal: number;
  /** Null while nothing was acknowledged lately. */
  ackP50Ms: number | null;
  ackP99Ms: number | null;
  store: { kind: string; up: boolean; reason: string | null };
  /** `retryInMs`: until the store is tried again, null where nothing is waited for. */
  /** `circuit`: closed, open (writes are paused) or half-open (one is tried). */
  writer: { running: boolean; circuit: string; reason: string | null; retryInMs: number | null };
  journal: {
    state: string;
    reason: string | null;
    pendingBytes: number;
    pendingReadings: number;
    maxBytes: number;
  };
  version: string;
  uptimeS: number;
}

export interface FieldInfo {
  name: string;
  type: string;
  unit: string | null;
  doc: string | null;
}

export interface MeasurementInfo {
  name: string;
  doc: string | null;
  tags: readonly string[];
  fields: readonly FieldInfo[];
}

export interface DeviceInfo {
  device: string;
  connected: boolean;
  measurements: readonly string[];
}

export interface DevicesPage {
  devices: readonly DeviceInfo[];
  cursor: string | null;
}

export type JsonCell = string | number | boolean | null;

export interface Latest {
  columns: readonly string[];
  rows: readonly (readonly JsonCell[])[];
}

/** Readings by what became of them; `received` is the sum of the others. */
export const LEDGER_KEYS = [
  'received',
  'stored',
  'duplicates',
  'rejected',
  'deadLettered',
  'expired',
  'pending',
] as const;
export type LedgerTotals = Readonly<Record<(typeof LEDGER_KEYS)[number], number>>;

type PayloadMembers = Readonly<Record<string, unknown>>;

export function parseStats(body: unknown): Stats | null {
  const stats = members(body);
  const devices = members(stats?.['devices']);
  const readings = members(stats?.['readings']);
  const ack = members(stats?.['ackMs']);
  const store = members(stats?.['store']);
  const journal = members(stats?.['journal']);
  const writer = members(stats?.['writer']);
  if (stats === null || devices === null || readings === null || store === null || journal === null)
    return null;
  return {
    devicesConnected: number(devices['connected']),
    tails: number(stats['tails']),
    readingsPerSecond: number(readings['perSecond']),
    readingsTotal: number(readings['total']),
    ackP50Ms: numberOrNull(ack?.['p50']),
    ackP99Ms: numberOrNull(ack?.['p99']),
    store: {
      kind: text(store['kind']) ?? 'store',
      up: store['state'] === 'up',
      reason: text(store['reason']),
    },
    writer: {
      running: (text(writer?.['state']) ?? 'running') === 'running',
      circuit: text(writer?.['circuit']) ?? 'closed',
      reason: text(writer?.['reason']),
      retryInMs: numberOrNull(writer?.['retryInMs']),
    },
    journal: {
      state: text(journal['state']) ?? 'open',
      reason: text(journal['reason']),
      pendingBytes: number(journal['pendingBytes']),
      pendingReadings: number(journal['pendingReadings']),
      maxBytes: number(journal['maxBytes']),
    },
    version: text(stats['version']) ?? '',
    uptimeS: number(stats['uptimeS']),
  };
}

export function parseMeasurements(body: unknown): MeasurementInfo[] | null {
  const list = members(body)?.['measurements'];
  if (!Array.isArray(list)) return null;
  return list.flatMap((item: unknown) => {
    const measurement = members(item);
    const name = text(measurement?.['name']);
    if (measurement === null || name === null) return [];
    const fields = objects(measurement['fields']).flatMap((field) => {
      const fieldName = text(field['name']);
      if (fieldName === null) return [];
      const { unit, doc, type } = field;
      return [{ name: fieldName, type: text(type) ?? 'float', unit: text(unit), doc: text(doc) }];
    });
    return [{ name, doc: text(measurement['doc']), tags: names(measurement['tags']), fields }];
  });
}

export function parseDevices(body: unknown): DevicesPage | null {
  const page = members(body);
  if (page === null || !Array.isArray(page['devices'])) return null;
  const devices = objects(page['devices']).flatMap((item) => {
    const device = text(item['device']);
    if (device === null) return [];
    return [{ device, connected: item['connected'] === true, measurements: names(item['measurements']) }];
  });
  return { devices, cursor: text(page['cursor']) };
}

export function parseLatest(body: unknown): Latest | null {
  const latest = members(body);
  if (latest === null || !Array.isArray(latest['columns']) || !Array.isArray(latest['rows'])) return null;
  const rows = latest['rows'].filter((row: unknown): row is JsonCell[] => Array.isArray(row));
  return { columns: names(latest['columns']), rows };
}

export function parseLedger(body: unknown): LedgerTotals | null {
  const ledger = members(body);
  if (ledger === null) return null;
  const counts = LEDGER_KEYS.map((key) => [key, number(ledger[key])] as const);
  return Object.fromEntries(counts) as LedgerTotals;
}

function members(value: unknown): PayloadMembers | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as PayloadMembers)
    : null;
}

function objects(value: unknown): PayloadMembers[] {
  return Array.isArray(value) ? value.map(members).filter((item) => item !== null) : [];
}

/** A list of names, or of objects that have one. */
function names(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value
    .map((item: unknown) => text(item) ?? text(members(item)?.['name']))
    .filter((name) => name !== null);
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: unknown): number {
  return numberOrNull(value) ?? 0;
}

// Integers beyond 2^53 travel as strings; as a number on a page they may be rounded.
function numberOrNull(value: unknown): number | null {
  const parsed = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof parsed === 'number' && Number.isFinite(parsed) ? parsed : null;
}
