import type { ErrorCode } from '../core/index.ts';

/** How often something came again; `device` is null for the sum of devices that found no room in the table. */
export interface Repeated {
  device: string | null;
  code: ErrorCode;
  more: number;
}

/**
 * Tells the first event of each device and code from those that follow, which it counts. Asking costs two map
 * look-ups and, after the first time, allocates nothing. Bounded: beyond so many entries only codes are kept apart.
 */
export class Repeats {
  readonly #maxEntries: number;
  /** How often each code came again, by device. */
  readonly #byCode = new Map<ErrorCode, Map<string, number>>();
  #entries = 0;
  /** The same for devices that found no room. */
  readonly #others = new Map<ErrorCode, number>();

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** Whether nothing has been heard of since the last `take`, and nothing is counted. */
  get empty(): boolean {
    return this.#entries === 0 && this.#others.size === 0;
  }

  isFirst(device: string, code: ErrorCode): boolean {
    let devices = this.#byCode.get(code);
    const more = devices?.get(device);
    if (devices !== undefined && more !== undefined) {
      devices.set(device, more + 1);
      return false;
    }
    if (this.#entries >= this.#maxEntries) {
      this.#others.set(code, (this.#others.get(code) ?? 0) + 1);
      return false;
    }
    if (devices === undefined) this.#byCode.set(code, (devices = new Map<string, number>()));
    devices.set(device, 0);
    this.#entries++;
    return true;
  }

  /** What came again since the last call. What did not is forgotten: its next event is a first one. */
  take(): Repeated[] {
    const repeated: Repeated[] = [];
    for (const [code, devices] of this.#byCode) {
      for (const [device, more] of devices) {
        if (more > 0) {
          repeated.push({ device, code, more });
          devices.set(device, 0);
        } else {
          devices.delete(device);
          this.#entries--;
        }
      }
      if (devices.size === 0) this.#byCode.delete(code);
    }
    for (const [code, more] of this.#others) repeated.push({ device: null, code, more });
    this.#others.clear();
    return repeated;
  }
}
