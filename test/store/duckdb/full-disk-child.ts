/**
 * A process whose files cannot grow at times, as on a full disk: writes to a DuckDB store, fails, goes on. Tells on
 * stdout what happened, as JSON. Its arguments: the database file, the case.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { openDuckDbStore } from '../../../src/store/index.ts';
import { MillraceError, messageOf, rowAt, type Cell } from '../../../src/core/index.ts';
import { BASE_NS, batchOf, shape } from '../points.ts';

const [, , file = '', kind = ''] = process.argv;
const NOISE = shape('noise', { x: 'float', s: 'string' });
const BATCH_ROWS = 20_000;
const ALL = {
  measurement: NOISE.measurement,
  fields: [],
  devices: [],
  tags: {},
  fromNs: 0n,
  toNs: 2n * BASE_NS,
  order: 'asc' as const,
  limit: null,
};

const store = await openDuckDbStore({ path: file });
let batches = 0;

function limitFiles(bytes: number | 'unlimited'): void {
  const done = spawnSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`]);
  if (done.status !== 0) throw new Error(`prlimit: ${String(done.stderr)}`);
}

/** Writes the next batch of points that cannot be compressed; the same one again after a failure. */
async function write(): Promise<string | null> {
  const noise = randomBytes(BATCH_ROWS * 72).toString('base64');
  const points = Array.from({ length: BATCH_ROWS }, (_, i) => ({
    timeNs: BASE_NS + BigInt(batches * BATCH_ROWS + i),
    device: 'd',
    fields: { x: Math.random(), s: noise.slice(i * 96, i * 96 + 96) },
  }));
  try {
    await store.write([batchOf(NOISE, points)], { epoch: 'e', position: batches + 1, refused: [] });
    batches++;
    return null;
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  return error instanceof MillraceError ? error.code : messageOf(error);
}

async function outcome(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return 'done';
  } catch (error) {
    return codeOf(error);
  }
}

async function count(): Promise<Cell> {
  const aggregates = [{ field: 'x', fn: 'count' as const, name: 'x' }];
  const answer = await store.aggregate(
    { ...ALL, aggregates, everyNs: null, group: [], after: null },
    new AbortController().signal,
  );
  for await (const batch of answer.chunks) return rowAt(batch, 0)[1] ?? null;
  return null;
}

/** Reads again and again until it is told to stop, and says how the reads ended. */
function keepReading(): () => Promise<string[]> {
  const stop = new AbortController();
  const ends = new Set<string>();
  const reading = (async () => {
    while (!stop.signal.aborted) {
      ends.add(await outcome(count));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return async () => {
    stop.abort();
    await reading;
    return [...ends].sort();
  };
}

/** A read in the middle of its rows: DuckDB makes no checkpoint while there is one. */
async function openRead(): Promise<() => Promise<string>> {
  const answer = await store.rows({ ...ALL, after: null }, new AbortController().signal);
  const rest = answer.chunks[Symbol.asyncIterator]();
  await rest.next();
  return () =>
    outcome(async () => {
      while ((await rest.next()).done !== true);
    });
}

const rounds = [];
for (let round = 0; round < 2; round++) {
  for (let i = 0; i < 20; i++) if ((await write()) !== null) throw new Error('refused with space left');
  const finishRead = kind === 'log' ? await openRead() : null;
  const finishReading = keepReading();
  limitFiles(kind === 'log' ? 512 * 1024 : statSync(file).size + 256 * 1024);
  let failed = null;
  for (let i = 0; i < 40 && failed === null; i++) failed = await write();
  const { state, reason } = store.state();
  const read = await finishRead?.();
  await outcome(() => store.probe());
  // either way: a small log may have room again
  await write();
  const reads = await finishReading();
  limitFiles('unlimited');
  const probe = await outcome(() => store.probe());
  const written = batches;
  const again = await write();
  rounds.push({
    failed,
    state,
    invalidated: reason?.includes('has been invalidated'),
    read,
    reads,
    probe,
    again,
    moved: batches - written,
    position: store.position()?.position === batches,
    rows: Number(await count()) === batches * BATCH_ROWS,
    stateAfter: store.state().state,
  });
}
globalThis.gc?.();
await store.close();
console.log(JSON.stringify(rounds));
