import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from '@jest/globals';
import { NO_READINGS, type Transport } from '../../src/core/index.ts';
import type { JournalFrame, LocalJournal, LocalJournalOptions, Origin } from '../../src/journal/index.ts';
import { openLocalJournal } from '../../src/journal/index.ts';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A folder of its own, removed after the test. */
export async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-journal-'));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const kept: string[] = [];

afterAll(() => Promise.all(kept.splice(0).map((dir) => rm(dir, { recursive: true, force: true }))));

/** The same for all tests of a file. */
export async function keptFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-journal-'));
  kept.push(dir);
  return dir;
}

/** Opens a journal and closes it after the test unless the test has. */
export async function open(
  dir: string,
  options: Omit<LocalJournalOptions, 'dir'> = {},
): Promise<LocalJournal> {
  const journal = await openLocalJournal({ dir, ...options });
  cleanups.push(() => journal.close().catch(() => undefined));
  return journal;
}

/** A connection that remembers what it was told. */
export class Connection implements Origin {
  readonly device: string;
  readonly transport: Transport;
  readonly durable: number[] = [];
  failures = 0;

  constructor(device: string, transport: Transport = 'ws') {
    this.device = device;
    this.transport = transport;
  }

  get acked(): number {
    return this.durable.at(-1) ?? 0;
  }

  onDurable(seq: number): void {
    this.durable.push(seq);
  }

  onFailed(): void {
    this.failures++;
  }
}

export const text = (value: string): Uint8Array => Buffer.from(value);

export function letter(device: string, bytes = text('bad'), transport: Transport = 'ws') {
  return {
    device,
    transport,
    atMs: 1_700_000_000_000,
    code: 'frame_truncated',
    message: 'it ends early',
    readings: 1,
    seq: null,
    position: null,
    bytes,
  };
}

/** Readings that all came by WebSocket. */
export const ws = (readings: number) => ({ ...NO_READINGS, ws: readings });

/** A settlement in which all frames are stored. */
export const stored = (position: number, readings: number, from = 0) => ({
  from,
  position,
  stored: ws(readings),
  expired: ws(0),
  deadLetters: [],
});

/** Every frame from a position to the head, with bytes as text. */
export function framesFrom(
  journal: LocalJournal,
  from = journal.tail(),
): (Omit<JournalFrame, 'bytes'> & { text: string })[] {
  const frames = [];
  for (let position = from; position < journal.head();) {
    const block = journal.read(position);
    if (block === undefined) throw new Error(`no block at ${position}`);
    for (const { bytes, ...frame } of block.frames(position)) {
      frames.push({ ...frame, text: Buffer.from(bytes).toString() });
    }
    position = block.next;
  }
  return frames;
}
