import { Batch, type BatchMemory } from './batch.ts';
import { BlockBuffers } from '../format/block-buffers.ts';
import type { Flushes } from './flushes.ts';
import type { JournalSettings } from './settings.ts';
import type { SealedBatch } from './transaction.ts';

interface IncomingSurroundings {
  memory: BatchMemory;
  flushes: Flushes;
  settings: Pick<JournalSettings, 'blockBytes' | 'blockDelayMs' | 'commitBytes'>;
  /** The open batch has waited for company long enough. */
  onDelay: () => void;
}

/** What was taken and is not yet part of a transaction: the open batch, and the sealed ones in their order. */
export class Incoming {
  readonly #around: IncomingSurroundings;
  readonly #buffers: BlockBuffers;
  #batch: Batch | null = null;
  #sealed: SealedBatch[] = [];
  #sealTimer: NodeJS.Timeout | null = null;
  /** Position of the next batch's first frame. */
  #next: number;
  /** Bytes sealed, or in the transaction under way. */
  #sealedBytes = 0;

  /** `next` is the position of the next frame. */
  constructor(next: number, around: IncomingSurroundings) {
    this.#next = next;
    this.#around = around;
    this.#buffers = new BlockBuffers(around.settings.blockBytes);
  }

  /** Bytes that wait for the disk. */
  get bytes(): number {
    return this.#sealedBytes + (this.#batch?.bytes ?? 0);
  }

  get hasSealed(): boolean {
    return this.#sealed.length > 0;
  }

  /** The batch that takes frames. `idle`: no transaction is under way, whose end would seal it. */
  open(idle: boolean): Batch {
    if (this.#batch !== null) return this.#batch;
    const { memory, flushes, settings, onDelay } = this.#around;
    this.#batch = new Batch(this.#next, this.#buffers, memory);
    flushes.opened();
    if (idle) this.#sealTimer = setTimeout(onDelay, settings.blockDelayMs);
    return this.#batch;
  }

  /** Closes the open batch, if there is one. */
  seal(): void {
    if (this.#sealTimer !== null) clearTimeout(this.#sealTimer);
    this.#sealTimer = null;
    if (this.#batch === null) return;
    this.#push(this.#batch);
    this.#batch = null;
  }

  /** A batch for dead letters, behind all others: nothing may be open. Push it or drop it. */
  replayBatch(nowMs: number): Batch {
    return new Batch(this.#next, this.#buffers, this.#around.memory, nowMs);
  }

  pushReplay(batch: Batch): void {
    this.#around.flushes.opened();
    this.#push(batch);
  }

  /** Whether enough is sealed to fill one transaction. */
  get full(): boolean {
    return this.#sealedBytes >= this.#around.settings.commitBytes;
  }

  /**
   * Hands the oldest sealed batches over, `all` of them or as many as one transaction takes; their bytes count until
   * `written`. Were it always all, whatever devices may have in flight would be in one commit, and nothing would
   * be left to check while it is synced. Half of what waits: where a sync takes long, commits grow with the queue.
   */
  take(all: boolean): SealedBatch[] {
    const most = all ? Infinity : Math.max(this.#around.settings.commitBytes, this.#sealedBytes / 2);
    let weight = 0;
    const rest = this.#sealed.findIndex(({ batch }, i) => (weight += batch.weight) > most && i > 0);
    return this.#sealed.splice(0, rest < 0 ? this.#sealed.length : rest);
  }

  /** They are on disk. */
  written(batches: readonly SealedBatch[]): void {
    for (const { batch } of batches) {
      this.#sealedBytes -= batch.bytes;
      batch.builder.release();
    }
  }

  /** Drops everything and goes on at `next`. Returns what was dropped and not handed over. */
  reset(next: number): SealedBatch[] {
    this.seal();
    this.#next = next;
    this.#sealedBytes = 0;
    return this.#sealed.splice(0);
  }

  /** Lets go of memory that only a full load needs. */
  shrink(): void {
    this.#buffers.shrink();
  }

  #push(batch: Batch): void {
    this.#sealedBytes += batch.bytes;
    const block = batch.builder.frames > 0 ? batch.builder.finish() : null;
    this.#next += batch.builder.frames;
    this.#sealed.push({ batch, block });
  }
}
