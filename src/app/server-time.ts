import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { AgeClock, LIMITS, messageOf, steadyClock, systemClock, type KnownTime } from '../core/index.ts';
import type { PartState } from '../api/index.ts';
import type { Logger } from '../telemetry/index.ts';

const fileSchema = z.object({ ms: z.number(), trusted: z.boolean() });

/**
 * The server's time for ages, which goes on over restarts: it is kept in a small file now and then. A file that is lost or
 * damaged only costs what was known; it is not synced, since an older one does no harm.
 */
export class ServerTime {
  readonly clock: AgeClock;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #timers: readonly NodeJS.Timeout[];
  #told: PartState['state'] = 'ok';

  constructor(path: string, maxTimeAheadMs: number, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
    this.clock = new AgeClock(systemClock, steadyClock, readKnown(path), maxTimeAheadMs);
    this.#timers = [
      setInterval(() => this.#look(), LIMITS.clockLookMs).unref(),
      setInterval(() => this.#keep(), LIMITS.clockKeepMs).unref(),
    ];
    this.#look();
  }

  /** For /readyz. */
  part(): PartState {
    const { state, byMs } = this.clock.condition();
    return { state, reason: wordsOf(state, byMs) };
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#keep();
  }

  #look(): void {
    const { state, byMs } = this.clock.condition();
    if (state === this.#told) return;
    this.#told = state;
    const reason = wordsOf(state, byMs);
    if (state === 'wrong') this.#logger.error({ state, byMs }, reason ?? state);
    else if (state === 'ahead') this.#logger.warn({ state, byMs }, reason ?? state);
    else this.#logger.info({ state }, 'the clock is right again');
  }

  #keep(): void {
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify(this.clock.known()));
      renameSync(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#logger.debug({ err: error }, `the time is not kept: ${messageOf(error)}`);
    }
  }
}

function readKnown(path: string): KnownTime | null {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}

function wordsOf(state: 'ok' | 'ahead' | 'wrong', byMs: number): string | null {
  const far = `${Math.round(byMs / 60_000)} min`;
  switch (state) {
    case 'ok':
      return null;
    case 'ahead':
      return `the clock jumped ahead by ${far}, or the server was off for so long: ages do not follow it yet`;
    case 'wrong':
      return `the clock is behind by ${far} at least: no frames are taken until it is right`;
  }
}
