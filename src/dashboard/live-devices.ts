import type { TailClient, TailSubscription } from '../client/index.ts';

/** Devices that are told: as many as a page can list at once. */
const MAX_SEEN = 100;

/**
 * Finds devices by what they send, while the store that could list them is away: a tail of one measurement in which
 * only new names count, the newest row of each where there are many.
 */
export class LiveDevices {
  readonly #tail: Pick<TailClient, 'subscribe'>;
  readonly #onDevice: (device: string, measurement: string) => void;
  readonly #seen = new Set<string>();
  #measurement: string | null = null;
  #subscription: TailSubscription | null = null;

  /** `onDevice` hears of each device once for each call of `follow` with another measurement. */
  constructor(tail: Pick<TailClient, 'subscribe'>, onDevice: (device: string, measurement: string) => void) {
    this.#tail = tail;
    this.#onDevice = onDevice;
  }

  /** Looks at another measurement, or at none any more. */
  follow(measurement: string | null): void {
    if (measurement === this.#measurement) return;
    this.#subscription?.unsubscribe();
    this.#subscription = null;
    this.#seen.clear();
    this.#measurement = measurement;
    if (measurement === null) return;
    this.#subscription = this.#tail.subscribe(
      { measurement, from: 'now', mode: 'latest' },
      {
        onRows: (rows, columns) => {
          const index = columns.indexOf('device');
          for (const row of rows) this.#see(row[index], measurement);
        },
      },
    );
  }

  #see(device: unknown, measurement: string): void {
    if (typeof device !== 'string' || this.#seen.has(device) || this.#seen.size >= MAX_SEEN) return;
    this.#seen.add(device);
    this.#onDevice(device, measurement);
  }
}
