import { byTransport, NO_READINGS, type Transport } from '../../../src/core/index.ts';
import type { LedgerCounts, LocalJournal } from '../../../src/journal/index.ts';

export const KINDS: readonly Transport[] = ['ws', 'http', 'mqtt'];

type Count = Exclude<keyof LedgerCounts, 'pending'>;
type Counts = Record<Transport, Record<Count, number>>;

interface ModelFrame {
  device: string;
  transport: Transport;
  readings: number;
}

interface ModelLetter extends ModelFrame {
  kind: 'rejected' | 'deadLettered';
}

const zero = (): Record<Count, number> => ({
  received: 0,
  stored: 0,
  duplicates: 0,
  rejected: 0,
  deadLettered: 0,
  expired: 0,
});

/** What a journal should say, kept by the simplest means: every frame and letter as an entry of its own. */
export class LedgerModel {
  counts: Counts = byTransport(zero);
  /** By position. */
  frames: ModelFrame[] = [];
  settled = 0;
  letters = new Map<number, ModelLetter>();
  dropped = 0;
  contents = new Set<string>();
  /** Position → id; a journal that was opened again has forgotten them. */
  replayed = new Map<number, number>();
  #nextLetter = 0;
  readonly #maxLetters: number;

  constructor(maxLetters: number) {
    this.#maxLetters = maxLetters;
  }

  copy(): LedgerModel {
    const copy = new LedgerModel(this.#maxLetters);
    const { counts, frames, settled, letters, dropped, contents, replayed } = this;
    Object.assign(copy, structuredClone({ counts, frames, settled, letters, dropped, contents, replayed }));
    copy.#nextLetter = this.#nextLetter;
    return copy;
  }

  /** Returns false for a duplicate. */
  append(frame: ModelFrame, content: string | null): boolean {
    this.counts[frame.transport].received += frame.readings;
    if (content !== null) {
      const name = `${frame.device} ${content}`;
      if (this.contents.has(name)) {
        this.counts[frame.transport].duplicates += frame.readings;
        return false;
      }
      this.contents.add(name);
    }
    this.frames.push(frame);
    return true;
  }

  repeat(transport: Transport, readings: number): void {
    this.counts[transport].received += readings;
    this.counts[transport].duplicates += readings;
  }

  reject(frame: ModelFrame): void {
    this.counts[frame.transport].received += frame.readings;
    this.counts[frame.transport].rejected += frame.readings;
    this.#add(this.#nextLetter++, { ...frame, kind: 'rejected' });
    this.#drop();
  }

  /** `refused`: readings that the store refused, by position; the others are stored or expired. */
  settle(position: number, refused: ReadonlyMap<number, number>, expire: boolean): void {
    for (let at = this.settled; at < position; at++) {
      const frame = this.frames[at];
      if (frame === undefined) throw new Error(`no frame ${at}`);
      const readings = refused.get(at);
      const counts = this.counts[frame.transport];
      counts[expire ? 'expired' : 'stored'] += frame.readings - (readings ?? 0);
      if (readings === undefined) continue;
      counts.deadLettered += readings;
      const id = this.replayed.get(at) ?? this.#nextLetter++;
      this.#add(id, { ...frame, readings, kind: 'deadLettered' });
    }
    this.settled = position;
    this.#drop();
  }

  /** Returns the position, null for a duplicate, undefined for what is no dead letter. */
  replay(id: number, readings: number, content: string | null): number | null | undefined {
    const letter = this.letters.get(id);
    if (letter === undefined) return undefined;
    this.letters.delete(id);
    const { device, transport, kind } = letter;
    const counts = this.counts[transport];
    const name = `${device} ${content}`;
    const known = content !== null && this.contents.has(name);
    if (content !== null) this.contents.add(name);
    if (kind === 'rejected') {
      counts.rejected -= letter.readings;
      counts.received += readings - letter.readings;
      if (known) {
        counts.duplicates += readings;
        return null;
      }
    } else counts.deadLettered -= letter.readings;
    this.frames.push({ device, transport, readings: kind === 'rejected' ? readings : letter.readings });
    this.replayed.set(this.frames.length - 1, id);
    return this.frames.length - 1;
  }

  pending(transport: Transport): number {
    return this.frames
      .slice(this.settled)
      .filter((frame) => frame.transport === transport)
      .reduce((sum, { readings }) => sum + readings, 0);
  }

  /** Everything that a journal is asked, in the form of `said`. */
  expected(): unknown {
    const byTransport = Object.fromEntries(
      KINDS.map((kind) => [kind, { ...this.counts[kind], pending: this.pending(kind) }]),
    ) as Record<Transport, LedgerCounts>;
    const sums: Record<string, number> = {};
    for (const counts of Object.values(byTransport)) {
      for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
    }
    return {
      ledger: { ...sums, byTransport },
      dropped: this.dropped,
      letters: [...this.letters]
        .toSorted(([a], [b]) => b - a)
        .map(([id, letter]) => ({ id: id.toString(36), ...letter })),
    };
  }

  #add(id: number, letter: ModelLetter): void {
    this.letters.set(id, letter);
  }

  #drop(): void {
    while (this.letters.size > this.#maxLetters) {
      const rejected = [...this.letters].filter(([, { kind }]) => kind === 'rejected');
      const oldest = Math.min(...(rejected.length > 0 ? new Map(rejected) : this.letters).keys());
      const letter = this.letters.get(oldest);
      this.letters.delete(oldest);
      this.dropped++;
      if (letter?.kind !== 'deadLettered') continue;
      this.counts[letter.transport].deadLettered -= letter.readings;
      this.counts[letter.transport].expired += letter.readings;
    }
  }
}

/** What the journal says, and that what it says of its blocks agrees with their frames. */
export function said(journal: LocalJournal): unknown {
  for (let at = journal.tail(); at < journal.head();) {
    const block = journal.read(at);
    if (block === undefined) throw new Error(`no block at ${at}`);
    const sums = { ...NO_READINGS };
    for (const { transport, readings } of block.frames()) sums[transport] += readings;
    const told = block.readingsByTransport();
    if (KINDS.some((kind) => sums[kind] !== told[kind])) throw new Error(`block ${at} counts wrong`);
    at = block.next;
  }
  return {
    ledger: journal.ledger(),
    dropped: journal.stats().lettersDropped,
    letters: journal
      .deadLetters(1_000)
      .map(({ id, device, transport, kind, readings }) => ({ id, device, transport, kind, readings })),
  };
}
