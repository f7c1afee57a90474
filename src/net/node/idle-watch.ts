/** Looks in the time after which a connection without traffic is cut; in the middle of it a ping is sent. */
const LOOKS = 4;

/** A connection that may have gone without a word. */
export interface Watched {
  /** Bytes that came from its client. */
  bytesRead(): number;
  ping(): void;
  terminate(): void;
}

/** Cuts connections from which nothing came for a time, not even the answer to a ping. */
export class IdleWatch {
  readonly #watched = new Map<Watched, { bytes: number; quietLooks: number }>();
  readonly #timer: NodeJS.Timeout;

  constructor(idleTimeoutS: number) {
    this.#timer = setInterval(() => this.#look(), (idleTimeoutS * 1000) / LOOKS).unref();
  }

  add(watched: Watched): void {
    this.#watched.set(watched, { bytes: -1, quietLooks: 0 });
  }

  remove(watched: Watched): void {
    this.#watched.delete(watched);
  }

  /** Cuts all that are left. */
  close(): void {
    clearInterval(this.#timer);
    for (const watched of this.#watched.keys()) watched.terminate();
  }

  #look(): void {
    for (const [watched, seen] of this.#watched) {
      const bytes = watched.bytesRead();
      seen.quietLooks = bytes === seen.bytes ? seen.quietLooks + 1 : 0;
      seen.bytes = bytes;
      if (seen.quietLooks >= LOOKS) watched.terminate();
      else if (seen.quietLooks === LOOKS / 2) watched.ping();
    }
  }
}
