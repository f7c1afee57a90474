import { cp } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { NO_READINGS } from '../../../src/core/index.ts';
import type { LocalJournal } from '../../../src/journal/index.ts';
import { openJournalOn } from '../../../src/journal/local/open.ts';
import { openStorage } from '../../../src/journal/local/lmdb/lmdb-storage.ts';
import { until } from '../../fixtures/until.ts';
import { FaultyStorage } from '../faulty-storage.ts';
import { Connection, folder, letter, text } from '../harness.ts';
import { KINDS, LedgerModel, said } from './ledger-model.ts';

const DEVICES = ['a', 'b'];
const MAX_LETTERS = 4;

const transport = fc.constantFrom(...KINDS);
const device = fc.constantFrom(...DEVICES);
const readings = fc.nat(20);
const content = fc.option(fc.constantFrom('A', 'B', 'C', 'D', 'E', 'F'));

const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('append' as const),
        device,
        transport,
        readings,
        content,
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('reject' as const), device, transport }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('resend' as const), device, readings }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('settle' as const),
        part: fc.double({ min: 0, max: 1, noNaN: true }),
        refuseEvery: fc.integer({ min: 1, max: 4 }),
        expire: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('replay' as const),
        /** Which of the letters, from the oldest; some are none. */
        picks: fc.array(fc.nat(MAX_LETTERS), { maxLength: 6 }),
        readings,
        content,
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const), clean: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('fail' as const),
        device,
        readings,
        after: fc.constantFrom('opening again', 'recovery', 'recovery, with the commit on disk'),
      }),
    },
  ),
  { maxLength: 60, size: 'max' },
);
type Step = (typeof steps extends fc.Arbitrary<infer T> ? T : never)[number];

/** A journal and the model of it, which are told the same. */
class Pair {
  model = new LedgerModel(MAX_LETTERS);
  dir = '';
  #storage: FaultyStorage | null = null;
  #journal: LocalJournal | null = null;
  readonly #connections = new Map<string, Connection>();
  readonly #seqs = new Map<string, number>();

  get journal(): LocalJournal {
    if (this.#journal === null) throw new Error('not open');
    return this.#journal;
  }

  async open(): Promise<void> {
    this.#storage = new FaultyStorage(openStorage(this.dir, 1e9, 1));
    this.#journal = await openJournalOn(this.#storage, {
      blockBytes: 200,
      tailRetentionMs: 0,
      snapshotBytes: 1_000,
      maxDeadLetters: MAX_LETTERS,
      recoveryMinMs: 1,
      clock: { nowMs: () => 1e6 },
    });
    this.model.replayed.clear();
  }

  async check(): Promise<void> {
    await this.journal.flush();
    expect(said(this.journal)).toEqual(this.model.expected());
  }

  async run(step: Step): Promise<void> {
    const { model, journal } = this;
    if (step.do === 'append') {
      const named = step.transport === 'ws' ? null : step.content;
      const seq = this.#next(step.device, step.transport);
      const bytes = text(`${named ?? seq}`);
      const origin = this.#connection(step.device, step.transport);
      const fresh = journal.append(origin, seq, bytes, step.readings, 1e6, named);
      const { device: id, transport: kind, readings: count } = step;
      expect(fresh).toBe(model.append({ device: id, transport: kind, readings: count }, named));
    } else if (step.do === 'reject') {
      const { device: id, transport: kind } = step;
      journal.reject(this.#connection(id, kind), this.#next(id, kind), letter(id, text('bad'), kind));
      model.reject({ device: id, transport: kind, readings: 1 });
    } else if (step.do === 'resend') {
      const seq = this.#seqs.get(`${step.device} ws`);
      if (seq === undefined) return;
      journal.append(this.#connection(step.device, 'ws'), seq, text('again'), step.readings, 1);
      model.repeat('ws', step.readings);
    } else if (step.do === 'settle') await this.#settle(step);
    else if (step.do === 'replay') await this.#replay(step);
    else if (step.do === 'reopen') await this.#reopen(step.clean);
    else if (step.do === 'fail') await this.#fail(step);
    if (step.do !== 'append' && step.do !== 'reject' && step.do !== 'resend') await this.check();
  }

  async #settle(step: Extract<Step, { do: 'settle' }>): Promise<void> {
    await this.journal.flush();
    const { frames, settled } = this.model;
    const position = settled + Math.round((frames.length - settled) * step.part);
    if (position === settled) return;
    const rest = { ...NO_READINGS };
    const refused = new Map<number, number>();
    const deadLetters = [];
    for (let at = settled; at < position; at++) {
      const frame = frames[at];
      if (frame === undefined) throw new Error('no frame');
      const count = at % step.refuseEvery === 0 ? Math.ceil(frame.readings / 2) : null;
      rest[frame.transport] += frame.readings - (count ?? 0);
      if (count === null) continue;
      refused.set(at, count);
      const { device: id, transport: kind } = frame;
      deadLetters.push({ ...letter(id, text('refused'), kind), readings: count, position: at });
    }
    const none = NO_READINGS;
    await this.journal.settle({
      from: settled,
      position,
      stored: step.expire ? none : rest,
      expired: step.expire ? rest : none,
      deadLetters,
    });
    this.model.settle(position, refused, step.expire);
  }

  async #replay(step: Extract<Step, { do: 'replay' }>): Promise<void> {
    await this.journal.flush();
    const { model } = this;
    const expected = new Map<string, number | null>();
    const letters = [...model.letters.keys()].toSorted((a, b) => a - b);
    const ids = step.picks.map((pick) => letters[pick] ?? 1_000);
    for (const id of ids) {
      const position = model.replay(id, step.readings, step.content);
      if (position !== undefined) expected.set(id.toString(36), position);
    }
    const asked = ids.map((id) => ({
      id: id.toString(36),
      readings: step.readings,
      content: step.content,
    }));
    expect(await this.journal.replay(asked)).toEqual(expected);
  }

  async #reopen(clean: boolean): Promise<void> {
    await this.journal.flush();
    if (!clean) {
      // As after a crash: the files without what a close adds to them.
      const copy = await folder();
      await cp(this.dir, copy, { recursive: true, filter: (path) => !path.endsWith('-lock') });
      await this.journal.close();
      this.dir = copy;
    } else await this.journal.close();
    await this.open();
    this.#checkNumbers();
  }

  /** What is in a commit that fails is told to nobody, and counted only if it reached the disk all the same. */
  async #fail(step: Extract<Step, { do: 'fail' }>): Promise<void> {
    const { journal, model } = this;
    await journal.flush();
    const onDisk = step.after === 'recovery, with the commit on disk';
    this.#storage?.failWith(new Error('No space left on device'), onDisk);
    const lost = new Connection(step.device, 'http');
    const name = `lost ${model.frames.length}`;
    journal.append(lost, 1, text('lost'), step.readings, 1e6, name);
    journal.reject(lost, 2, letter(step.device, text('lost'), 'http'));
    const letters = journal.deadLetters(10).map(({ id }) => ({ id, readings: 1, content: null }));
    const replay = journal.replay(letters);
    await expect(Promise.all([journal.flush(), replay])).rejects.toMatchObject({ code: 'journal_failed' });
    await replay.catch(() => undefined);
    expect(lost).toMatchObject({ durable: [], failures: 1 });
    if (onDisk) {
      const { device: id } = step;
      model.append({ device: id, transport: 'http', readings: step.readings }, name);
      for (const { id: letterId } of letters) {
        const position = model.replay(Number.parseInt(letterId, 36), 1, null);
        if (typeof position === 'number') model.replayed.delete(position);
      }
      model.reject({ device: id, transport: 'http', readings: 1 });
    }
    this.#storage?.failWith(null);
    if (step.after === 'opening again') {
      await journal.close();
      await this.open();
    } else await until('the journal to recover', () => journal.stats().state !== 'failed');
    this.#checkNumbers();
  }

  #checkNumbers(): void {
    for (const id of DEVICES) expect(this.journal.deviceSeq(id)).toBe(this.#seqs.get(`${id} ws`) ?? 0);
  }

  #next(id: string, kind: string): number {
    const seq = (this.#seqs.get(`${id} ${kind}`) ?? 0) + 1;
    this.#seqs.set(`${id} ${kind}`, seq);
    return seq;
  }

  #connection(id: string, kind: (typeof KINDS)[number]): Connection {
    const key = `${id} ${kind}`;
    const connection = this.#connections.get(key) ?? new Connection(id, kind);
    this.#connections.set(key, connection);
    return connection;
  }
}

describe('the ledger', () => {
  test('is balanced and exact by transport through frames, duplicates, refusals, replays, expiry, faults and starts', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const pair = new Pair();
        pair.dir = await folder();
        await pair.open();
        try {
          for (const step of sequence) await pair.run(step);
          await pair.check();
        } finally {
          await pair.journal.close().catch(() => undefined);
        }
      }),
      { numRuns: 80 },
    );
  }, 60_000);
});
