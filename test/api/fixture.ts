import { Readable } from 'node:stream';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApi, type ApiOptions, type ReadyReport, type ServerStats } from '../../src/api/index.ts';
import type { Measurement } from '../../src/core/index.ts';
import { Replayer } from '../../src/ingest/index.ts';
import { openLocalJournal } from '../../src/journal/index.ts';
import type { HttpAnswer, HttpExchange } from '../../src/net/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import { openDuckDbStore } from '../../src/store/index.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { batchOf, type Point } from '../store/points.ts';

/** 2026-03-01T12:00:00Z, the time of all tests here. */
export const NOW_MS = Date.UTC(2026, 2, 1, 12);
export const nsAgo = (seconds: number): bigint => BigInt(NOW_MS - seconds * 1000) * 1_000_000n;

/** Tags, and a field of each type. */
const METER = {
  type: 'record',
  name: 'Meter',
  doc: 'A power meter.',
  fields: [
    { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'site', type: 'string', doc: 'Where it hangs.' },
    { name: 'phase', type: { type: 'enum', name: 'Phase', symbols: ['L1', 'L2', 'L3'] } },
    { name: 'power', type: ['null', 'float'], unit: 'W', doc: 'Active power.' },
    { name: 'energy', type: 'long', unit: 'Wh' },
    { name: 'cos', type: ['null', 'double'] },
    { name: 'on', type: 'boolean' },
    { name: 'note', type: ['null', 'string'], role: 'field' },
  ],
};

export interface Reply {
  status: number;
  headers: Record<string, string>;
  text: string;
  /** The body as JSON. */
  json: Record<string, unknown>;
  /** Rows of a query's answer. */
  rows: unknown[][];
}

export interface CallOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal;
}

export type Call = (path: string, options?: CallOptions) => Promise<Reply>;

/** The API over a real registry, journal and DuckDB store, called without a socket. */
export async function openApiFixture(overrides: Partial<ApiOptions> = {}) {
  const folder = temporaryFolder();
  const clock = { nowMs: () => NOW_MS };
  const registry = await openRegistry({ dir: join(folder.path, 'registry') });
  await registry.register(
    'environment',
    readFileSync(join(process.cwd(), 'schemas/environment.avsc'), 'utf8'),
  );
  const { id } = await registry.register('meter', JSON.stringify(METER));
  const journal = await openLocalJournal({ dir: join(folder.path, 'journal'), clock });
  const store = await openDuckDbStore({ path: join(folder.path, 'points.duckdb') });
  const mapping = registry.byId(id)?.compiled.mapping;
  const measurement: Measurement | undefined = registry.measurement('meter');
  if (mapping === undefined || measurement === undefined)
    throw new Error('the meter schema is not registered');
  const state: { report: ReadyReport; position: number } = {
    report: { ingest: null, query: null, parts: { store: { state: 'up' }, journal: { state: 'open' } } },
    position: 0,
  };
  const replayer = new Replayer({ journal, registry, clock });
  const options: ApiOptions = {
    journal,
    registry,
    store,
    clock,
    version: '1.2.3',
    status: () => state.report,
    stats: () => STATS,
    metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', body: 'millrace_up 1\n' }),
    replay: (request) => replayer.replay(request),
    connected: (device) => device === 'a',
    ...overrides,
  };
  const handle = createApi(options);
  return {
    options,
    journal,
    store,
    state,
    call: ((path, call = {}) => callApi(handle, path, call)) satisfies Call,
    /** Stores points of the meter measurement. */
    async write(points: readonly Point[]): Promise<void> {
      state.position += points.length;
      await store.write([batchOf({ mapping, measurement }, points)], {
        epoch: journal.epoch,
        position: state.position,
        refused: [],
      });
    },
    async close(): Promise<void> {
      await store.close();
      await journal.close();
      await registry.close();
      folder.remove();
    },
  };
}

/** A point of the meter measurement, so many seconds before now. */
export function meter(
  secondsAgo: number,
  device: string,
  fields: Point['fields'] = {},
  tags: Record<string, string | null> = {},
): Point {
  return {
    timeNs: nsAgo(secondsAgo),
    device,
    tags: { site: 'roof', phase: 'L1', ...tags },
    fields: { power: 1.5, energy: 10n, on: true, ...fields },
  };
}

/** A request as the network edge hands it over. */
export function exchangeOf(
  path: string,
  { method = 'GET', headers = {}, body, signal = new AbortController().signal }: CallOptions = {},
): HttpExchange {
  const [pathname = '', query = ''] = path.split(/\?(.*)/s);
  const json = typeof body === 'string' ? body : JSON.stringify(body ?? '');
  const all: Record<string, string> =
    body === undefined ? headers : { 'content-type': 'application/json', ...headers };
  return {
    method,
    path: pathname,
    query,
    header: (name) => all[name],
    headers: new Map(Object.entries(all)),
    body: () => Promise.resolve(Buffer.from(json)),
    stream: () => Readable.from([Buffer.from(json)]),
    signal,
  };
}

/** The media types of one JSON value; a form of many values, one in each line, is none. */
const IS_ONE_JSON = /^application\/(?:problem\+)?json\b/;

/** Calls the API and reads the whole answer. */
export async function callApi(
  handle: (exchange: HttpExchange) => Promise<HttpAnswer>,
  path: string,
  options: CallOptions = {},
): Promise<Reply> {
  const answer = await handle(exchangeOf(path, options));
  const text = await textOf(answer);
  const parsed: unknown = IS_ONE_JSON.test(answer.headers['Content-Type'] ?? '') ? JSON.parse(text) : {};
  const object = parsed as Record<string, unknown>;
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: object,
    rows: (object['rows'] ?? []) as unknown[][],
  };
}

async function textOf({ body }: HttpAnswer): Promise<string> {
  if (body === null) return '';
  if (typeof body === 'string') return body;
  if (body instanceof Uint8Array) return Buffer.from(body).toString('utf8');
  let text = '';
  for await (const chunk of body)
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
  return text;
}

const STATS: ServerStats = {
  devices: { connected: 1 },
  tails: 0,
  readings: { perSecond: 10, total: 100 },
  ackMs: { p50: 1.5, p99: null },
  store: { kind: 'duckdb', state: 'up', reason: null },
  journal: { state: 'open', reason: null, pendingBytes: 0, pendingReadings: 0, maxBytes: 1000 },
  writer: {
    state: 'running',
    circuit: 'closed',
    reason: null,
    retryInMs: null,
    oldestPendingAgeMs: null,
    since: '2026-01-01T00:00:00.000Z',
  },
  version: '1.2.3',
  uptimeS: 1,
};
