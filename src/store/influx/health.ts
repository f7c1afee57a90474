import { messageOf } from '../../core/index.ts';
import type { StoreState } from '../store.ts';
import { InfluxUnavailable, QueryRefused } from './transport/unavailable.ts';

/** Waits between two probes while the server is away, in milliseconds. */
const PROBE_FIRST_MS = 250;
const PROBE_MAX_MS = 10_000;

/** What a probe meets as well as a write does: the token, its permission, the bucket. */
const SEEN_BY_PROBE: readonly (number | null)[] = [401, 403, 404];

/**
 * Whether the server is there, from what writes and reads meet, and from a probe in the background while it
 * is not. A write with points may fail in ways that a probe does not see, such as a full disk: that ends only with a
 * write that succeeds.
 */
export class InfluxHealth {
  readonly #probe: () => Promise<void>;
  #fault: string | null = 'InfluxDB has not answered yet';
  #writeFault: string | null = null;
  #probeEndsWriteFault = false;
  #timer: NodeJS.Timeout | null = null;
  #waitMs = PROBE_FIRST_MS;
  #closed = false;

  /** `probe` resolves when the server is there and answers for the bucket. */
  constructor(probe: () => Promise<void>) {
    this.#probe = probe;
  }

  /** Probes once; when that fails goes on in the background. */
  async start(): Promise<void> {
    await this.probe().catch(() => {});
  }

  /** Probes once, and rejects with why the server takes nothing now. */
  async probe(): Promise<void> {
    try {
      await this.#probe();
      if (this.#probeEndsWriteFault) this.#writeFault = null;
      this.#found();
    } catch (error) {
      this.#onFailure(error, true);
      throw error;
    }
  }

  state(): StoreState {
    const reason = this.#fault ?? this.#writeFault;
    return { state: reason === null ? 'up' : 'down', reason };
  }

  /** How a write ended: null where it went well. */
  onWrite(error: unknown): void {
    if (error === null) {
      this.#writeFault = null;
      this.#found();
    } else {
      this.#onFailure(error, error instanceof InfluxUnavailable && SEEN_BY_PROBE.includes(error.status));
    }
  }

  #onFailure(error: unknown, seenByProbe: boolean): void {
    if (error instanceof InfluxUnavailable && error.status === null) return this.#lost(error);
    // It answered.
    this.#fault = null;
    this.#writeFault = messageOf(error);
    this.#probeEndsWriteFault = seenByProbe;
    if (seenByProbe) this.#probeLater();
  }

  /** How a read ended: null where it went well. A read that its caller ended says nothing. */
  onRead(error: unknown): void {
    if (error === null) this.#found();
    else if (error instanceof InfluxUnavailable && !(error instanceof QueryRefused)) this.#lost(error);
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #found(): void {
    this.#fault = null;
    // What stands against writes alone goes on being probed.
    if (this.#writeFault !== null && this.#probeEndsWriteFault) return;
    this.#waitMs = PROBE_FIRST_MS;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #lost(error: unknown): void {
    this.#fault = messageOf(error);
    this.#probeLater();
  }

  #probeLater(): void {
    if (this.#timer !== null || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.start();
    }, this.#waitMs);
    this.#timer.unref();
    this.#waitMs = Math.min(this.#waitMs * 2, PROBE_MAX_MS);
  }
}
