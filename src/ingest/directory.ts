import { LIMITS, MillraceError } from '../core/index.ts';
import type { Journal, OutboxLife } from '../journal/index.ts';
import { journalFailed, refuseUnlessAccepting } from './admission.ts';
import type { DeviceIdentity } from './identity.ts';

/** A connection of a device. */
export interface Holder extends Readonly<DeviceIdentity> {
  /** A newer connection of the device took over: nothing more of this one counts. */
  replaced(): void;
}

/** Where the numbers of a connection go on. */
export interface Numbers {
  /** Everything up to here is on disk from before. */
  seq: number;
  /** The outbox that has these numbers; null where they are the device's own. */
  outbox: OutboxLife | null;
}

/** Which connection each device has, over all processes that take devices. */
export interface Directory {
  /**
   * Whether one more connection may come, of this device. Throws `journal_full`, `journal_failed`, `too_many_connections`
   * or `too_many_devices`.
   */
  admit(device: string): void;
  /**
   * Makes the connection its device's only one, whatever its outbox. Resolves with the number of its last durable frame,
   * when everything that earlier connections got into the journal is on disk; with null when a newer one took over
   * meanwhile. Rejects with `journal_failed`, `too_many_connections` or `too_many_devices`.
   */
  claim(holder: Holder): Promise<Numbers | null>;
  /** The connection has ended. To be told of each that was claimed. */
  release(holder: Holder): void;
}

type DirectoryJournal = Pick<Journal, 'accepting' | 'stats' | 'flush' | 'devices' | 'deviceSeq' | 'outbox'>;

/** The directory of the process that writes the journal. */
export class DeviceDirectory implements Directory {
  readonly #journal: DirectoryJournal;
  readonly #maxConnections: number;
  readonly #maxDevices: number;
  readonly #holders = new Map<string, Holder>();
  /** Connections that have not ended, replaced ones included. */
  readonly #open = new Set<Holder>();
  readonly #roomListeners = new Set<() => void>();

  constructor(journal: DirectoryJournal, maxConnections: number, maxDevices: number = LIMITS.maxDevices) {
    this.#journal = journal;
    this.#maxConnections = maxConnections;
    this.#maxDevices = maxDevices;
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

  admit(device: string): void {
    refuseUnlessAccepting(this.#journal);
    if (!this.room) throw tooManyConnections();
    this.#refuseNewName(device);
  }

  /** Names that have no frame yet are not among those that count, so as many more may come as are connected at once. */
  #refuseNewName(device: string): void {
    const { devices } = this.#journal;
    if (devices.names < this.#maxDevices || devices.has(device)) return;
    const known = `the numbers of ${devices.names} devices are remembered, and this is none of them`;
    throw new MillraceError('too_many_devices', known);
  }

  /**
   * The answer counts what is on disk, so frames of an earlier connection that are still on their way must get
   * there first. Those that come later than this do not count: whoever takes them asks for the holder.
   */
  async claim(holder: Holder): Promise<Numbers | null> {
    // More may have been admitted at once than there is room for.
    if (!this.room) throw tooManyConnections();
    this.#refuseNewName(holder.device);
    this.#count(() => this.#open.add(holder));
    const journal = this.#journal;
    const older = this.#holders.get(holder.device);
    this.#holders.set(holder.device, holder);
    older?.replaced();
    if (journal.stats().queuedBytes > 0) await journal.flush();
    const { device, outboxId } = holder;
    if (this.#holders.get(device) !== holder) return null;
    // The commit that failed may be on disk all the same; which numbers hold, recovering tells.
    if (journal.stats().state === 'failed') throw journalFailed();
    const outbox = outboxId === null ? null : journal.outbox(device, outboxId);
    return { seq: journal.deviceSeq(device, outbox), outbox };
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
