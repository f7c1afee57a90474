/** Something asked for again and again while somebody looks. */
export interface Poll {
  /** Asks now, unless it is asking already. */
  now(): void;
}

/**
 * Runs `ask` at once and then `intervalMs` after each end of it, only while the page is visible and `active`
 * says so. `ask` handles its own failures.
 */
export function poll(ask: () => Promise<void>, intervalMs: number, active: () => boolean): Poll {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  const run = async () => {
    clearTimeout(timer);
    if (asking) return;
    if (document.visibilityState === 'visible' && active()) {
      asking = true;
      await ask().finally(() => (asking = false));
    }
    timer = setTimeout(() => void run(), intervalMs);
  };
  document.addEventListener('visibilitychange', () => void run());
  void run();
  return { now: () => void run() };
}
