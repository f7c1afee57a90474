import { MillraceError } from '../core/index.ts';
import type { Journal } from '../journal/index.ts';
import { refuseUnlessAccepting } from './admission.ts';

/** A connection of a device. */
export interface Holder {
  readonly device: string;
  /** A newer connection of the device took over: nothing more of this one counts. */
  replaced(): void;
}

/** Which connection each device has, over all processes that take devices. */
export interface Directory {
  /** Whether one more connection may come. Throws `journal_full`, `journal_failed` or `too_many_connections`. */
  admit(): void;
  /**
   * Makes the connection its device's only one. Resolves with the number of the device's last durable frame, when
   * everything that earlier connections got into the journal is on disk; with null when a newer one took over
   * meanwhile. Rejects with `journal_failed` or `too_many_connections`.
   */
  claim(holder: Holder): Promise<number | null>;
  /** The connection has ended. To be told of each that was claimed. */
  release(holder: Holder): void;
}

/** The directory of the process that writes the journal. */
export class DeviceDirectory implements Directory {
  readonly #journal: Pick<Journal, 'accepting' | 'stats' | 'flush' | 'deviceSeq'>;
  readonly #maxConnections: number;
  readonly #holders = new Map<string, Holder>();
  /** Connections that have not ended, replaced ones included. */
  readonly #open = new Set<Holder>();
  readonly #roomListeners = new Set<() => void>();

  constructor(journal: Pick<Journal, 'accepting' | 'stats' | 'flush' | 'deviceSeq'>, maxConnections: number) {
    this.#journal = journal;
    this.#maxConnections = maxConnections;
  }

  get connections(): number {
    return this.#open.size;
  }

  /** Whether one more connection may come. */
  get room(): boolean {
    return this.#open.size < this.#maxConnections;
  }

  /** Called when `room` has changed. Returns the way to stop it. */
  onRoomChange(listener: () => void): () => void {
    this.#roomListeners.add(listener);
    return () => this.#roomListeners.delete(listener);
  }

  isConnected(device: string): boolean {
    return this.#holders.has(device);
  }

  admit(): void {
    refuseUnlessAccepting(this.#journal);
    if (!this.room) throw tooManyConnections();
  }

  /**
   * The answer counts what is on disk, so frames of an earlier connection that are still on their way must get
   * there first. Those that come later than this do not count: whoever takes them asks for the holder.
   */
  async claim(holder: Holder): Promise<number | null> {
    // Of many that were admitted at once, only so many get in.
    if (!this.room) throw tooManyConnections();
    this.#count(() => this.#open.add(holder));
    const journal = this.#journal;
    const older = this.#holders.get(holder.device);
    this.#holders.set(holder.device, holder);
    older?.replaced();
    if (journal.stats().queuedBytes > 0) await journal.flush();
    return this.#holders.get(holder.device) === holder ? journal.deviceSeq(holder.device) : null;
  }

  release(holder: Holder): void {
    this.#count(() => this.#open.delete(holder));
    if (this.#holders.get(holder.device) === holder) this.#holders.delete(holder.device);
  }

  #count(change: () => void): void {
    const before = this.room;
    change();
    if (this.room !== before) for (const listener of this.#roomListeners) listener();
  }
}

export function tooManyConnections(): MillraceError {
  return new MillraceError('too_many_connections', 'as many devices as allowed are connected');
}
