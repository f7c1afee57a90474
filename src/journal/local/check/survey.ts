import { NO_READINGS, TRANSPORTS, type ByTransport } from '../../../core/index.ts';
import type { Ledger } from '../../journal.ts';
import { type CommittedBlock, openBlock } from '../format/block.ts';
import type { LmdbFile } from '../lmdb/lmdb-file.ts';
import { type FoundBlock, newestBlocks, scanBlocks } from './raw-scan.ts';
import { readRecords, type Records, treeBlocks } from './records.ts';
import { ledgerOf } from '../format/state.ts';
import { expectedBytes } from '../lmdb/verify-file.ts';

/** Positions [from, to). */
export interface Span {
  from: number;
  to: number;
}

/** What a journal's files hold and what is wrong with them. Positions count frames. */
export interface JournalReport {
  file: string;
  sound: boolean;
  sizeBytes: number;
  /** What the meta page asks for; a sound file may be shorter when its last pages are free. */
  expectedBytes: number | null;
  format: number | null;
  epoch: string | null;
  head: number | null;
  tail: number | null;
  settled: number | null;
  /** Blocks that are in their place and whole, and what is in them. */
  blocks: number;
  frames: number;
  readings: number;
  ledger: Ledger | null;
  deadLetters: number;
  deviceNumbers: { snapshot: 'none' | 'readable' | 'damaged'; devices: number; outboxes: number };
  /** Everything wrong but blocks, in words. */
  problems: string[];
  /** Blocks that cannot be read where they should be. */
  damaged: { position: number | null; fault: string }[];
  /** Positions in their place; found elsewhere in the file; and nowhere. */
  readable: Span[];
  salvaged: Span[];
  missing: Span[];
}

/** Faults told one by one at most; the spans tell all. */
const MAX_TOLD = 1_000;

/** Walks a whole journal's file, and knows then what is in its place, what lies elsewhere and what is nowhere. */
export class Survey {
  readonly #file: LmdbFile;
  readonly #records: Records;
  readonly #damaged: { position: number | null; fault: string }[] = [];
  readonly #readable: Span[] = [];
  readonly #salvaged: Span[] = [];
  readonly #missing: Span[] = [];
  readonly #found: FoundBlock[];
  #blocks = 0;
  #frames = 0;
  #readings = 0;
  /** Readings of the frames that are in their place and not settled yet. */
  readonly #pending: ByTransport = { ...NO_READINGS };

  constructor(file: LmdbFile) {
    this.#file = file;
    this.#records = readRecords(file);
    for (const found of treeBlocks(file, this.#records.blocks)) this.#note(found);
    const gaps = this.#gaps();
    this.#found = gaps.length === 0 ? [] : newestBlocks(scanBlocks(file), gaps);
    for (const gap of gaps) this.#fillGap(gap);
  }

  #note(found: { position: number | null } & ({ fault: string } | { block: CommittedBlock })): void {
    const last = this.#readable.at(-1)?.to ?? 0;
    const fault =
      'fault' in found ? found.fault : found.block.first < last ? 'it overlaps the block before it' : null;
    if (fault !== null || 'fault' in found) {
      if (this.#damaged.length < MAX_TOLD)
        this.#damaged.push({ position: found.position, fault: fault ?? '' });
      return;
    }
    add(this.#readable, found.block.first, found.block.next);
    this.#blocks++;
    this.#frames += found.block.next - found.block.first;
    this.#readings += found.block.readings;
    this.#countPending(found.block);
  }

  #countPending(block: CommittedBlock): void {
    const { state } = this.#records;
    if (state === null || block.next <= state.settled) return;
    for (const { transport, readings } of block.frames(Math.max(block.first, state.settled)))
      this.#pending[transport] += readings;
  }

  /** The ledger gets what is pending as a remainder; here it is compared with the frames themselves. */
  #ledgerFault(ledger: Ledger): string | null {
    for (const transport of TRANSPORTS) {
      const said = ledger.byTransport[transport].pending;
      const found = this.#pending[transport];
      if (said !== found)
        return `the ledger says ${said} readings are pending by ${transport}, the frames hold ${found}`;
    }
    return null;
  }

  /** Positions that should be there and are not in their place; without a state record, all others. */
  #gaps(): Span[] {
    const { state } = this.#records;
    const gaps: Span[] = [];
    let at = state?.tail ?? 0;
    const end = state?.head ?? Infinity;
    for (const { from, to } of this.#readable) {
      if (from > at) gaps.push({ from: at, to: Math.min(from, end) });
      at = Math.max(at, to);
    }
    if (at < end) gaps.push({ from: at, to: end });
    return gaps;
  }

  #fillGap(gap: Span): void {
    let at = gap.from;
    for (const { first, next } of this.#found) {
      if (first < gap.from || next > gap.to) continue;
      if (first > at) add(this.#missing, at, first);
      add(this.#salvaged, first, next);
      at = next;
    }
    // Without a state record nobody knows where the journal began and ended.
    const { state } = this.#records;
    const known = state !== null || at > gap.from;
    if (known && at < gap.to && gap.to !== Infinity) add(this.#missing, at, gap.to);
  }

  /** The blocks of `readable` and `salvaged`, in order. */
  *blocks(): Generator<CommittedBlock, void, undefined> {
    let next = 0;
    let at = 0;
    for (const found of treeBlocks(this.#file, this.#records.blocks)) {
      if (!('block' in found) || found.block.first < at) continue;
      for (; (this.#found[next]?.first ?? Infinity) < found.block.first; next++)
        yield* this.#foundBlock(next);
      yield found.block;
      at = found.block.next;
    }
    for (; next < this.#found.length; next++) yield* this.#foundBlock(next);
  }

  *#foundBlock(index: number): Generator<CommittedBlock, void, undefined> {
    const found = this.#found[index];
    if (found !== undefined) yield openBlock(this.#file.read(found.offset, found.length), found.first);
  }

  report(): JournalReport {
    const { format, state, deadLetters, deviceNumbers, problems } = this.#records;
    const all = [...problems];
    if (state !== null && deadLetters < state.letters.count) {
      all.push(`${state.letters.count - deadLetters} dead letters are missing`);
    }
    const damaged = this.#damaged;
    const ledger = state === null ? null : ledgerOf(state);
    const isWhole = damaged.length === 0 && this.#missing.length === 0 && this.#salvaged.length === 0;
    const fault = ledger !== null && isWhole ? this.#ledgerFault(ledger) : null;
    if (fault !== null) all.push(fault);
    const sound = all.length === 0 && isWhole;
    return {
      file: this.#file.path,
      sound,
      sizeBytes: this.#file.sizeBytes,
      expectedBytes: expectedBytes(this.#file),
      format: format?.version ?? null,
      epoch: format?.epoch ?? null,
      head: state?.head ?? null,
      tail: state?.tail ?? null,
      settled: state?.settled ?? null,
      blocks: this.#blocks,
      frames: this.#frames,
      readings: this.#readings,
      ledger,
      deadLetters,
      deviceNumbers,
      problems: all,
      damaged,
      readable: this.#readable,
      salvaged: this.#salvaged,
      missing: this.#missing,
    };
  }
}

/** Adds a span behind the others, joined to the last where they touch. */
function add(spans: Span[], from: number, to: number): void {
  const last = spans.at(-1);
  if (last?.to === from) last.to = to;
  else spans.push({ from, to });
}
