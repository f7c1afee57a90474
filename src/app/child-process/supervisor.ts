import { type Clock, MillraceError, messageOf } from '../../core/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import type { Child } from './child.ts';
import { RestartDelay } from './restart-delay.ts';
import type { Timing } from './timing.ts';
import { Watchdog } from './watchdog.ts';

/** What one kind of process has of its own. */
export interface ChildKind<C extends Child> {
  /** As sentences of the log begin: "the writer process". */
  name: string;
  /** The log's name for the process id. */
  pidField: string;
  /** Throws when no process can be started now. */
  spawn: () => C;
  /** Resolves when the process does its work; rejects when it cannot begin, or ends before. */
  begin: (child: C) => Promise<void>;
  /** So long may the beginning take, in milliseconds; null for any time while the process answers. */
  beginMs: (child: C) => number | null;
  /** Asks for a sign of life; resolves with why the process hangs all the same, or null. */
  ask: (child: C) => Promise<string | null>;
  /** Without an answer for so long the process hangs, in milliseconds. */
  silentMs: number;
  /** The process has ended. It is not started again before this is done. */
  onEnd: (child: C, reason: string, wasReady: boolean) => void | Promise<void>;
}

export interface Supervision {
  /** For what is told; waits go by `timing`. */
  clock: Clock;
  timing: Timing;
  random: () => number;
  logger: Logger;
}

/** Why no process does its work, since when by the clock, and for how long yet; null where none is to be started. */
export interface Down {
  reason: string;
  sinceMs: number;
  retryInMs: number | null;
}

/**
 * Keeps one process running: starts it, ends it when it hangs, and starts another when it has ended, after waits that
 * grow until one has run for a while.
 */
export class Supervisor<C extends Child> {
  readonly #kind: ChildKind<C>;
  readonly #around: Supervision;
  readonly #restarts: RestartDelay;
  #child: C | null = null;
  #down: { reason: string; sinceMs: number; retryAtMs: number | null };
  /** Since when the child does its work; null before, and when there is none. */
  #readySinceMs: number | null = null;
  #stopping = false;
  #restarted = 0;
  #cancelRestart: () => void = () => {};
  /** The last child has ended, and its `onEnd` is done. */
  #over: Promise<void> = Promise.resolve();

  constructor(kind: ChildKind<C>, around: Supervision) {
    this.#kind = kind;
    this.#around = around;
    this.#restarts = new RestartDelay(around.timing, around.random);
    this.#down = { reason: `${kind.name} is starting`, sinceMs: around.clock.nowMs(), retryAtMs: null };
  }

  /** The process that runs, from its first moment. */
  get child(): C | null {
    return this.#child;
  }

  /** Whether it does its work. */
  get ready(): boolean {
    return this.#readySinceMs !== null;
  }

  /** Starts after the first one; those that failed count, too. */
  get restarted(): number {
    return this.#restarted;
  }

  get down(): Down {
    const { reason, sinceMs, retryAtMs } = this.#down;
    const { timing } = this.#around;
    return {
      reason,
      sinceMs,
      retryInMs: retryAtMs === null ? null : Math.max(0, retryAtMs - timing.nowMs()),
    };
  }

  /** Starts the first process; rejects with its error when it cannot begin, and no other is started then. */
  async start(): Promise<void> {
    const { name, pidField, spawn, begin, beginMs, ask, silentMs } = this.#kind;
    const child = spawn();
    this.#child = child;
    const over = this.#watch(child);
    this.#over = over;
    const begun = begin(child);
    const mostMs = beginMs(child);
    const beginning = this.#guard(
      child,
      mostMs === null ? () => ask(child) : () => begun.then(() => null),
      mostMs ?? silentMs,
    );
    try {
      await begun;
      if (this.#child !== child) throw new MillraceError('internal', `${name} ended while it started`);
    } catch (error) {
      child.kill();
      await over;
      throw error;
    } finally {
      beginning.stop();
    }
    this.#readySinceMs = this.#around.timing.nowMs();
    const living = this.#guard(child, () => ask(child), silentMs);
    void over.finally(() => living.stop());
    this.#around.logger.info({ [pidField]: child.pid }, `${name} runs`);
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** The end of the last process was of use: the next need not wait for long. */
  progressed(): void {
    this.#restarts.progressed();
  }

  /** From now on nothing is started again. */
  stop(): void {
    this.#stopping = true;
    this.#cancelRestart();
  }

  /** Ends the process: by `finish`, which asks it to, and by force when it has not gone after `graceMs`. */
  async close(graceMs: number, finish: (child: C) => Promise<void>): Promise<void> {
    this.stop();
    const child = this.#child;
    if (child !== null) {
      const finished = finish(child).catch((error: unknown) => {
        const message = `${this.#kind.name} did not end as it should: ${messageOf(error)}`;
        this.#around.logger.warn({ err: error }, message);
      });
      await endOrTimeout(Promise.all([finished, this.#over]), graceMs, this.#around.timing);
      child.kill();
    }
    await this.#over;
  }

  /** Ends the process when `ask` stays without an answer for so long. */
  #guard(child: C, ask: () => Promise<string | null>, silentMs: number): Watchdog {
    const { timing, logger } = this.#around;
    const { name, pidField } = this.#kind;
    return new Watchdog({
      timing,
      ask,
      silentMs,
      onHang: (reason) => {
        logger.error({ [pidField]: child.pid }, `${name} hangs and is ended: ${reason}`);
        child.kill();
      },
    });
  }

  async #watch(child: C): Promise<void> {
    const { name, pidField, onEnd } = this.#kind;
    const reason = `${name} ended with ${await child.ended}`;
    const readySinceMs = this.#readySinceMs;
    this.#child = null;
    this.#readySinceMs = null;
    try {
      await onEnd(child, reason, readySinceMs !== null);
    } catch (error) {
      const message = `the end of ${name} was not dealt with: ${messageOf(error)}`;
      this.#around.logger.error({ err: error }, message);
    }
    // One that never was ready is told by its start.
    if (readySinceMs === null || this.#stopping) return;
    this.#around.logger.error({ [pidField]: child.pid }, reason);
    this.#restarts.ended(readySinceMs);
    this.#startAgain(reason);
  }

  #startAgain(reason: string): void {
    const { clock, timing, logger } = this.#around;
    const waitMs = this.#restarts.nextMs();
    this.#down = { reason, sinceMs: clock.nowMs(), retryAtMs: timing.nowMs() + waitMs };
    this.#cancelRestart = timing.after(waitMs, () => {
      this.#restarted++;
      this.start().catch((error: unknown) => {
        if (this.#stopping) return;
        const message = messageOf(error);
        logger.error({ err: error }, `${this.#kind.name} does not start: ${message}`);
        this.#startAgain(message);
      });
    });
  }
}

/** Resolves when the work has come to an end, or the time has; rejects with the error of the work. */
async function endOrTimeout(work: Promise<unknown>, ms: number, timing: Timing): Promise<void> {
  const cancels: (() => void)[] = [];
  const late = new Promise<void>((resolve) => cancels.push(timing.after(ms, resolve)));
  try {
    await Promise.race([work, late]);
  } finally {
    for (const cancel of cancels) cancel();
  }
}
