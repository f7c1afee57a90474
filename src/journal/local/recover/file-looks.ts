import { LIMITS, steadyClock } from '../../../core/index.ts';
import type { JournalSettings } from '../commit/settings.ts';
import type { Storage } from '../lmdb/storage.ts';

/** Looks now and then whether files are where they were: as commits ask for it, or by itself while none is made. */
export class FileLooks {
  readonly #storage: Pick<Storage, 'look'>;
  readonly #settings: Pick<JournalSettings, 'alsoLook'>;
  readonly #timer: NodeJS.Timeout;
  #lookedMs = 0;

  /** `onIdle` is called when it is time to look. */
  constructor(
    storage: Pick<Storage, 'look'>,
    settings: Pick<JournalSettings, 'alsoLook'>,
    onIdle: () => void,
  ) {
    this.#storage = storage;
    this.#settings = settings;
    this.#timer = setInterval(onIdle, LIMITS.filesLookMs).unref();
  }

  /** Looks, unless that was done a moment ago. Throws what the looks do. */
  lookWhenDue(): void {
    if (steadyClock.nowMs() - this.#lookedMs < LIMITS.filesLookMs) return;
    this.#storage.look();
    this.#settings.alsoLook();
    this.#lookedMs = steadyClock.nowMs();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
