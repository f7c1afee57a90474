import { LIMITS } from '../core/index.ts';

/**
 * What is read of one block after the other goes into the same memory: what is not allocated need not be collected.
 */
export class BlockMemory {
  #bytes = Buffer.alloc(0);
  readonly #names = new Map<string, string>();

  /** So many bytes of it. What was read into it before is gone. */
  take(length: number): Buffer {
    if (this.#bytes.length < length) this.#bytes = Buffer.allocUnsafeSlow(length + (length >> 2));
    return this.#bytes.subarray(0, length);
  }

  /** The string that an earlier block gave for the same device: rows of many blocks then refer to one that is old. */
  name(device: string): string {
    const known = this.#names.get(device);
    if (known !== undefined) return known;
    if (this.#names.size >= LIMITS.writerDeviceNames) this.#names.clear();
    this.#names.set(device, device);
    return device;
  }
}
