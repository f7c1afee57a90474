export interface DedupeLimits {
  /** How long a content is remembered; 0 turns the window off. */
  dedupeWindowMs: number;
  /** Newest contents kept per device. */
  dedupeFrames: number;
  /** Contents kept in total; a device counts as DEVICE_WEIGHT of them. */
  dedupeTotal: number;
}

/** The contents of one device, the oldest first, each with when it came, in seconds since the window's start. */
interface DeviceContents {
  seconds: Map<string, number>;
  /** When the front is looked at for contents that are too old. */
  pruneAtS: number;
  /** When the device went to the end of the line: at most a TOUCH_PART of the window before its last content. */
  touchedS: number;
}

/** Memory of a device beside its contents, in contents. */
const DEVICE_WEIGHT = 3;
/** A device that was active within this part of the window keeps its place among the others. */
const TOUCH_PART = 1 / 64;

/**
 * Which contents each device brought lately, in flight or on disk. Bounded in time, per device, and in total,
 * where the device that was quiet the longest loses its oldest first. About 100 bytes of memory a content.
 * Contents go in bulk, a sixteenth of a limit at once: a Map whose first entry was deleted is slow to find
 * its next one.
 */
export class DedupeWindow {
  /** The device that was quiet the longest comes first, as exactly as `touchedS` tells. */
  readonly #devices = new Map<string, DeviceContents>();
  readonly #limits: DedupeLimits;
  /** How far back the window reaches, in seconds. Whole seconds are small integers, which cost a Map no memory of their own. */
  readonly #windowS: number;
  readonly #baseMs: number;
  #newest: string | null = null;
  #total = 0;

  constructor(limits: DedupeLimits, nowMs: number) {
    this.#limits = limits;
    this.#windowS = limits.dedupeWindowMs / 1000;
    this.#baseMs = nowMs;
  }

  /** Contents that are remembered, those not yet forgotten by age included. */
  get size(): number {
    return this.#total - DEVICE_WEIGHT * this.#devices.size;
  }

  /** Remembers a content that came at `nowMs`; false when it is there already, which does not renew it. */
  take(device: string, content: string, nowMs: number): boolean {
    if (this.#windowS === 0 || this.#limits.dedupeFrames === 0) return true;
    const nowS = this.#second(nowMs);
    const contents = this.#touch(device, nowS);
    const { seconds } = contents;
    const before = seconds.get(content);
    if (before !== undefined) {
      if (nowS - before <= this.#windowS) return false;
      // It is put behind the others again, since the map keeps them in the order of their times.
      seconds.delete(content);
      this.#total--;
    }
    seconds.set(content, nowS);
    this.#total++;
    if (nowS >= contents.pruneAtS) this.#prune(contents, nowS);
    if (seconds.size > this.#limits.dedupeFrames) {
      this.#drop(seconds, seconds.size - this.#limits.dedupeFrames + (this.#limits.dedupeFrames >>> 4));
    }
    if (this.#total > this.#limits.dedupeTotal) this.#shrink();
    return true;
  }

  /** Drops the devices that brought nothing within the window. */
  sweep(nowMs: number): void {
    const nowS = this.#second(nowMs);
    for (const [device, contents] of this.#devices) {
      if (nowS - contents.touchedS <= this.#windowS * (1 + TOUCH_PART)) return;
      this.#total -= contents.seconds.size;
      this.#remove(device);
    }
  }

  #second(ms: number): number {
    return Math.round((ms - this.#baseMs) / 1000);
  }

  #touch(device: string, nowS: number): DeviceContents {
    let contents = this.#devices.get(device);
    if (contents === undefined) {
      contents = { seconds: new Map(), pruneAtS: nowS + this.#windowS, touchedS: nowS };
      this.#total += DEVICE_WEIGHT;
      this.#devices.set(device, contents);
    } else if (nowS - contents.touchedS >= this.#windowS * TOUCH_PART) {
      this.#devices.delete(device);
      this.#devices.set(device, contents);
      contents.touchedS = nowS;
    }
    this.#newest = device;
    return contents;
  }

  #prune(contents: DeviceContents, nowS: number): void {
    contents.pruneAtS = nowS + this.#windowS / 16;
    for (const [content, second] of contents.seconds) {
      if (nowS - second <= this.#windowS) return;
      contents.seconds.delete(content);
      this.#total--;
    }
  }

  #shrink(): void {
    const goal = this.#limits.dedupeTotal - (this.#limits.dedupeTotal >>> 4);
    for (const [device, { seconds }] of this.#devices) {
      const excess = this.#total - goal;
      if (excess <= 0) return;
      // The content that was just taken stays, whatever the limit.
      if (device === this.#newest) {
        this.#drop(seconds, Math.min(excess, seconds.size - 1));
      } else if (excess >= seconds.size) {
        this.#total -= seconds.size;
        this.#remove(device);
      } else {
        this.#drop(seconds, excess);
      }
    }
  }

  #drop(seconds: Map<string, number>, count: number): void {
    let left = count;
    for (const content of seconds.keys()) {
      if (left-- <= 0) return;
      seconds.delete(content);
      this.#total--;
    }
  }

  #remove(device: string): void {
    this.#devices.delete(device);
    this.#total -= DEVICE_WEIGHT;
    if (this.#newest === device) this.#newest = null;
  }
}
