import { messageOf } from '../../core/index.ts';
import type { StoreState } from '../store.ts';
import { InfluxUnavailable, QueryRefused } from './unavailable.ts';

/** Waits between two probes while the server is away, in milliseconds. */
const PROBE_FIRST_MS = 250;
const PROBE_MAX_MS = 10_000;

/**
 * Whether the server is there, from what writes and reads meet, and from a probe in the background while it
 * is not. What the server itself answers to a write a probe cannot see, such as a token without that permission:
 * it ends only with a write that succeeds.
 */
export class InfluxHealth {
  readonly #probe: () => Promise<void>;
  #fault: string | null = 'InfluxDB has not answered yet';
  #writeFault: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #waitMs = PROBE_FIRST_MS;
  #closed = false;

  /** `probe` resolves when the server is there and answers for the bucket. */
  constructor(probe: () => Promise<void>) {
    this.#probe = probe;
  }

  /** Probes once; when that fails goes on in the background. */
  async start(): Promise<void> {
    try {
      await this.#probe();
      this.#fault = null;
    } catch (error) {
      this.#lost(error);
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
    } else if (error instanceof InfluxUnavailable && error.status === null) {
      this.#lost(error);
    } else {
      this.#writeFault = messageOf(error);
    }
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
    this.#waitMs = PROBE_FIRST_MS;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #lost(error: unknown): void {
    this.#fault = messageOf(error);
    if (this.#timer !== null || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.start();
    }, this.#waitMs);
    this.#timer.unref();
    this.#waitMs = Math.min(this.#waitMs * 2, PROBE_MAX_MS);
  }
}
