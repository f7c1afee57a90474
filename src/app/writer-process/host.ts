import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  LIMITS,
  MillraceError,
  messageOf,
  steadyClock,
  type AgeClock,
  type Clock,
} from '../../core/index.ts';
import type { Settings } from '../../config/index.ts';
import type { JournalState, LocalJournal, Settlement } from '../../journal/index.ts';
import type { Registry } from '../../registry/index.ts';
import type { StoreState } from '../../store/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import { type AuditStatus, backlogOf, type WriterStatus } from '../../writer/index.ts';
import { connect, nodeChannel } from '../process-calls.ts';
import { RestartDelay } from '../restart-delay.ts';
import { seconds, Watchdog } from '../watchdog.ts';
import type { WriterHostCalls, WriterCalls, WriterReport } from './calls.ts';
import { WriterEnds } from './ends.ts';
import { type RemoteWriter, RemoteStore } from './remote-store.ts';

const PROGRAM = fileURLToPath(new URL('main.js', import.meta.url));

export interface WriterProcessOptions extends Pick<
  WriterHostCalls,
  'wrote' | 'failed' | 'retried' | 'expired'
> {
  settings: Settings;
  /** Of the data folder. */
  dir: string;
  journal: LocalJournal;
  registry: Registry;
  clock: Clock;
  time: AgeClock;
  logger: Logger;
  random: () => number;
  /** Throws when the data folder is not the one any more that this process uses. */
  look: () => void;
  /** Hears of each settlement that is on disk. */
  onSettled: (settlement: Settlement) => void;
}

/** A writer process, and what it told last. */
interface RunningWriter {
  child: ChildProcess;
  calls: RemoteWriter;
  report: WriterReport | null;
  /** When its writer ran, on the steady clock; null before. */
  startedMs: number | null;
}

/** Why none runs; since when, and until when on the steady clock. */
interface Down {
  reason: string;
  sinceMs: number;
  retryAtMs: number | null;
}

/**
 * Starts the writer process, tells it how far the journal is, settles for it, and starts it again when it ends. What it
 * had not settled yet, the next one writes again or finds in the store.
 */
export class WriterProcess {
  readonly store: RemoteStore;
  readonly #options: WriterProcessOptions;
  #running: RunningWriter | null = null;
  #down: Down;
  readonly #restarts: RestartDelay;
  readonly #ends = new WriterEnds();
  #audit: AuditStatus = { state: 'ok', checked: 0, missing: 0, lastRunMs: null };
  /** As the last process told. */
  #told: Pick<WriterStatus, 'alarm' | 'storeMissingFrames' | 'journalMissingFrames'> = {
    alarm: null,
    storeMissingFrames: 0,
    journalMissingFrames: 0,
  };
  /** Set when it is to end: nothing is started again. */
  #stopping = false;
  #timer: NodeJS.Timeout | null = null;
  /** Settlements that were asked for and are not on disk yet. */
  readonly #settling = new Set<Promise<void>>();
  /** A state is on its way to the writer; another one is due after it. */
  #telling = false;
  #due = false;
  readonly #stops: (() => void)[];

  private constructor(options: WriterProcessOptions) {
    const { settings, journal, registry, clock } = options;
    this.#options = options;
    this.#restarts = new RestartDelay(options.random);
    this.#down = { reason: 'the store is being opened', sinceMs: clock.nowMs(), retryAtMs: null };
    this.store = new RemoteStore(settings.store, () => this.#calls());
    this.#stops = [
      journal.onCommit(() => this.#tell()),
      registry.onChange((version) => {
        const text = registry.byId(version.id)?.text ?? '';
        this.#running?.calls.registered.asEvent(version, text).catch(() => {});
      }),
    ];
  }

  /** Starts the first one; rejects with its error when it cannot begin. */
  static async start(options: WriterProcessOptions): Promise<WriterProcess> {
    const host = new WriterProcess(options);
    try {
      await host.#launch();
    } catch (error) {
      await host.close();
      throw error;
    }
    return host;
  }

  status(): WriterStatus {
    const { journal, clock } = this.#options;
    const backlog = backlogOf(journal, clock.nowMs());
    const report = this.#running?.report?.writer;
    const endedInARow = this.#ends.inARow;
    const ends = this.#ends.alarm();
    if (report !== undefined) {
      return { ...report, ...backlog, endedInARow, alarm: joined(report.alarm, ends) };
    }
    const { reason, sinceMs, retryAtMs } = this.#down;
    const retryInMs = retryAtMs === null ? null : Math.max(0, Math.round(retryAtMs - steadyClock.nowMs()));
    const alarm = joined(this.#told.alarm, ends);
    const state = { state: 'failed', circuit: 'open', reason, retryInMs, sinceMs } as const;
    return { ...state, ...backlog, ...this.#told, endedInARow, alarm };
  }

  audit(): AuditStatus {
    return this.#running?.report?.audit ?? this.#audit;
  }

  storeState(): StoreState {
    return this.#running?.report?.store ?? { state: 'down', reason: this.#down.reason };
  }

  /** Writes what the journal holds, for so long at most, and takes no more. */
  async drain(graceMs: number): Promise<void> {
    this.#stopping = true;
    await this.#running?.calls.drain(graceMs).catch((error: unknown) => this.#lost(error));
  }

  /** Closes the store and ends the process. */
  async close(): Promise<void> {
    this.#stopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const stop of this.#stops) stop();
    const running = this.#running;
    if (running === null) return;
    const ended = endOf(running.child);
    await running.calls.close().catch((error: unknown) => this.#lost(error));
    if (running.child.connected) running.child.disconnect();
    await ended;
  }

  #lost(error: unknown): void {
    this.#options.logger.warn({ err: error }, `the writer did not end as it should: ${messageOf(error)}`);
  }

  #calls(): RemoteWriter {
    if (this.#running === null) throw new MillraceError('store_unavailable', this.#down.reason);
    return this.#running.calls;
  }

  async #launch(): Promise<void> {
    const { settings, dir, journal, registry, time, logger } = this.#options;
    // It would open what is there now.
    this.#options.look();
    const child = fork(PROGRAM, {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const kill = (): boolean => child.kill('SIGKILL');
    process.once('exit', kill);
    const { wrote, failed, retried, expired } = this.#options;
    const calls = connect<WriterCalls, WriterHostCalls>(nodeChannel(child), {
      settle: (settlement) => this.#settle(settlement),
      attempt: (attempt) => this.#ends.attempting(attempt),
      report: (report) => {
        if (this.#running?.child === child) this.#reported(this.#running, report);
      },
      wrote,
      failed,
      retried,
      expired,
    });
    const running: RunningWriter = { child, calls, report: null, startedMs: null };
    this.#running = running;
    const watchdog = new Watchdog({
      ask: async () => {
        const ms = await calls.busyMs();
        return ms < LIMITS.storeCallMs ? null : `the store has not answered for ${seconds(ms)}`;
      },
      silentMs: LIMITS.writerSilentMs,
      onHang: (reason) => {
        logger.error({ writerPid: child.pid }, `the writer process hangs and is ended: ${reason}`);
        kill();
      },
    });
    const ended = this.#watch(running, kill).finally(() => watchdog.stop());
    const { epoch } = journal;
    try {
      const { suspects } = this.#ends;
      const [state, schemas] = [journal.state(), registry.contents()];
      await calls.start({ settings, dir, epoch, state, schemas, time: time.known(), suspects });
    } catch (error) {
      kill();
      await ended;
      throw error;
    }
    running.startedMs = steadyClock.nowMs();
    logger.info({ writerPid: child.pid }, 'the writer process runs');
    // Told of commits only since it runs.
    this.#tell();
  }

  /** Resolves when the process has ended, and its calls are answered. */
  async #watch(running: RunningWriter, kill: () => void): Promise<void> {
    const how = await endOf(running.child);
    process.off('exit', kill);
    const reason = `the writer process ended with ${how}`;
    this.#running = null;
    this.#telling = false;
    running.calls.$close(new MillraceError('store_unavailable', reason));
    this.#options.journal.forgetDeadReaders();
    await Promise.allSettled(this.#settling);
    if (this.#stopping) return;
    const { logger, journal } = this.#options;
    this.#ends.ended(journal.settledPosition(), journal.head(), reason);
    const alarm = this.#ends.alarm();
    if (alarm !== null) logger.error({ position: journal.settledPosition() }, alarm);
    if (running.startedMs === null) return;
    this.#restarts.ended(running.startedMs);
    if (this.#ends.narrowed) this.#restarts.progressed();
    logger.error({ writerPid: running.child.pid }, reason);
    this.#again(reason);
  }

  #reported(running: RunningWriter, report: WriterReport): void {
    running.report = report;
    this.#audit = report.audit;
    const { alarm, storeMissingFrames, journalMissingFrames } = report.writer;
    this.#told = { alarm, storeMissingFrames, journalMissingFrames };
  }

  #again(reason: string): void {
    const { clock, logger } = this.#options;
    const waitMs = this.#restarts.nextMs();
    this.#down = { reason, sinceMs: clock.nowMs(), retryAtMs: steadyClock.nowMs() + waitMs };
    this.#timer = setTimeout(() => {
      this.#launch().catch((error: unknown) => {
        if (this.#stopping) return;
        logger.error({ err: error }, `the writer process does not start: ${messageOf(error)}`);
        this.#again(messageOf(error));
      });
    }, waitMs);
  }

  async #settle(settlement: Settlement): Promise<JournalState> {
    const { journal } = this.#options;
    const settled = journal.settle(settlement);
    this.#settling.add(settled);
    try {
      await settled;
      this.#options.onSettled(settlement);
    } finally {
      this.#settling.delete(settled);
    }
    this.#ends.settled(journal.settledPosition());
    return journal.state();
  }

  /** Tells the writer how far the journal is; while it takes that in, and for a while after, nothing more is sent. */
  #tell(): void {
    this.#due = true;
    const running = this.#running;
    if (this.#telling || running === null) return;
    this.#telling = true;
    this.#due = false;
    running.calls
      .committed(this.#options.journal.state())
      .catch(() => {})
      .finally(() => {
        setTimeout(() => {
          if (this.#running !== running) return;
          this.#telling = false;
          if (this.#due) this.#tell();
        }, LIMITS.writerTellMs).unref();
      });
  }
}

/** Alarms as one text; null where there is none. */
function joined(...alarms: (string | null)[]): string | null {
  const given = alarms.filter((alarm) => alarm !== null);
  return given.length === 0 ? null : given.join('; ');
}

/** How a process ended, in words, when all that it sent has been read. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let how: string | null = null;
    const done = (): void => {
      if (how !== null && !child.connected) resolve(how);
    };
    child.once('error', (error) => {
      how = messageOf(error);
      done();
    });
    child.once('exit', (code, signal) => {
      how = signal ?? `code ${code}`;
      done();
    });
    child.once('disconnect', done);
  });
}
