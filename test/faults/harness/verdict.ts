import { appendFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect } from '@jest/globals';
import { until } from '../../fixtures/until.ts';
import { PATIENCE_MS, sabotaged } from './asked.ts';
import type { DeviceModel } from './device.ts';
import type { Gateway, Ledger } from './gateway.ts';
import { MEASUREMENTS } from './odd-frames.ts';

/** What a fault did: acknowledged readings against those found in the store. */
export interface Verdict {
  /** The test file, and what was done to the server. */
  kind: string;
  fault: string;
  /** Verdicts of one run count the same readings. */
  run: string;
  acked: number;
  found: number;
  lost: number;
  twice: number;
  /** Every promise that was not kept, in words. */
  broken: string[];
}

let seenBroken = false;

/**
 * Waits until nothing is pending and compares the store with the models, to the last reading. All devices
 * must have been acknowledged before. Writes the verdict down for the table, and throws when anything is broken.
 */
export async function judge(
  kind: string,
  fault: string,
  gateway: Gateway,
  { run, models }: { run: string; models: readonly DeviceModel[] },
): Promise<Verdict> {
  const broken = models.flatMap((model) => model.broken);
  const ledger = await settledLedger(gateway, broken);
  const rows = await storedRows(gateway);
  const { found, twice, foreign } = sift(rows, models);
  let acked = 0;
  let lost = 0;
  let bad = 0;
  for (const model of models) {
    for (const frame of model.frames.slice(0, model.acked)) {
      if (frame.bad) bad += 1;
      acked += frame.readings.length;
      for (const { timeMs, value } of frame.readings) {
        if (found.get(`${model.id} ${timeMs}`) !== value) lost += 1;
      }
    }
  }
  if (lost > 0) broken.push(`${lost} acknowledged readings are not in the store`);
  if (twice > 0) broken.push(`${twice} readings are in the store twice`);
  if (foreign.length > 0) broken.push(`nobody sent ${foreign.slice(0, 3).join('; ')}`);
  const counted = await countedRows(gateway);
  if (counted !== rows.length) broken.push(`count says ${counted}, there are ${rows.length} rows`);
  if (ledger.stored !== found.size) broken.push(`stored in the ledger ${ledger.stored}, found ${found.size}`);
  const taken = ledger.received - ledger.duplicates;
  if (taken !== acked + bad)
    broken.push(`received in the ledger without duplicates ${taken}, sent ${acked + bad}`);
  if (ledger.rejected !== bad) broken.push(`rejected in the ledger ${ledger.rejected}, sent ${bad}`);
  const letters = await deadLetters(gateway);
  if (letters !== bad) broken.push(`${letters} dead letters of ${bad} refused frames`);
  const verdict = { kind, fault, run, acked, found: found.size, lost, twice, broken };
  record(verdict);
  if (broken.length > 0) throw new Error(`${kind}, ${fault}:\n  ${broken.join('\n  ')}`);
  return verdict;
}

/** Ends a test whose sabotage has been noticed by one before it. */
export function stopIfCaught(): void {
  if (sabotaged && seenBroken) throw new Error('this sabotage is caught already');
}

/** Writes a line for the table of run.mjs, when it asked for one. */
export function record(verdict: Verdict): void {
  if (verdict.broken.length > 0) seenBroken = true;
  const file = process.env['FAULT_RESULTS'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(verdict)}\n`);
}

/** Writes down, outside of `judge`, that something did not happen that had to, and throws. */
export function breakPromise(fault: string, what: string): never {
  const kind = basename(expect.getState().testPath ?? '').replace('.test.ts', '');
  record({ kind, fault, run: '', acked: 0, found: 0, lost: 0, twice: 0, broken: [what] });
  throw new Error(`${kind}, ${fault}: ${what}`);
}

/** What is wrong with a ledger by itself; what is pending is compared with the frames when a process has ended. */
export function imbalance(ledger: Ledger): string | null {
  for (const counts of [ledger, ...Object.values(ledger.byTransport)]) {
    const { received, stored, duplicates, rejected, deadLettered, expired, pending } = counts;
    const others = [stored, duplicates, rejected, deadLettered, expired, pending];
    const sum = others.reduce((total, count) => total + count, 0);
    if (sum !== received || others.some((count) => count < 0)) {
      return `the ledger is off: ${JSON.stringify(counts)}`;
    }
  }
  return null;
}

async function settledLedger(gateway: Gateway, broken: string[]): Promise<Ledger> {
  let ledger = await gateway.ledger();
  try {
    await until(
      'nothing pending',
      async () => {
        ledger = await gateway.ledger();
        return ledger.pending === 0;
      },
      PATIENCE_MS,
    );
  } catch {
    broken.push(`${ledger.pending} readings are still pending after ${PATIENCE_MS / 1000} s`);
  }
  const off = imbalance(ledger);
  if (off !== null) broken.push(off);
  return ledger;
}

const ALL_TIMES = 'from=0&to=2100-01-01T00:00:00Z';

/** The measurements that the fleet may have sent, of those that the server knows, each as a query for all of it. */
async function queries(gateway: Gateway): Promise<string[]> {
  const { measurements } = await gateway.json<{ measurements: { name: string }[] }>('/v1/measurements');
  return MEASUREMENTS.filter(([name]) => measurements.some((known) => known.name === name)).map(
    ([name, field]) => `/v1/query?measurement=${name}&field=${field}&${ALL_TIMES}`,
  );
}

async function storedRows(gateway: Gateway): Promise<string[]> {
  const all: string[] = [];
  for (const query of await queries(gateway)) {
    const csv = await gateway.text(`${query}&format=csv`);
    // One by one: as arguments of one call, the rows of a long run are more than the stack holds.
    for (const row of csv.split('\r\n').slice(1, -1)) all.push(row);
  }
  return all;
}

async function countedRows(gateway: Gateway): Promise<number> {
  let sum = 0;
  for (const query of await queries(gateway)) {
    const { rows } = await gateway.json<{ rows: [string, number][] }>(`${query}&fn=count`);
    for (const [, count] of rows) sum += count;
  }
  return sum;
}

/** Sorts rows into those that somebody sent, by device and time, and others. */
function sift(
  rows: readonly string[],
  models: readonly DeviceModel[],
): { found: Map<string, number>; twice: number; foreign: string[] } {
  const sent = new Map<string, number>();
  for (const { id, frames } of models) {
    for (const { readings } of frames) {
      for (const { timeMs, value } of readings) sent.set(`${id} ${timeMs}`, value);
    }
  }
  const found = new Map<string, number>();
  const foreign: string[] = [];
  let twice = 0;
  for (const row of rows) {
    // Tags may stand in between.
    const cells = row.split(',');
    const [time = '', device = ''] = cells;
    const value = cells.at(-1) ?? '';
    const key = `${device} ${Date.parse(time)}`;
    if (found.has(key)) twice += 1;
    else if (sent.get(key) === Number(value)) found.set(key, Number(value));
    else foreign.push(row);
  }
  return { found, twice, foreign };
}

async function deadLetters(gateway: Gateway): Promise<number> {
  let count = 0;
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { deadLetters: unknown[]; cursor: string | null } = await gateway.json(
      `/v1/dead-letters?limit=1000${query}`,
    );
    count += page.deadLetters.length;
    cursor = page.cursor;
  } while (cursor !== null);
  return count;
}
