import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ReadCounts } from '../../answers/index.ts';
import { LIMITS, MillraceError, messageOf, type AgeClock, type Clock } from '../../core/index.ts';
import type { Settings } from '../../config/index.ts';
import type { JournalState, LocalJournal, Settlement } from '../../journal/index.ts';
import type { Registry } from '../../registry/index.ts';
import { STORES, type StoreState } from '../../store/index.ts';
import type { ChildProcessFigures, Logger } from '../../telemetry/index.ts';
import { type AuditStatus, backlogOf, type WriterStatus } from '../../writer/index.ts';
import {
  type Child,
  endOf,
  type ProcessUsage,
  seconds,
  Supervisor,
  systemTiming,
} from '../child-process/index.ts';
import { connect, nodeChannel } from '../process-calls.ts';
import type { WriterHostCalls, WriterCalls, WriterReport } from './calls.ts';
import { WriterEnds } from './ends.ts';
import { type RemoteWriter, RemoteStore } from './remote-store.ts';

const PROGRAM = fileURLToPath(new URL('main.js', import.meta.url));

export interface WriterProcessOptions extends Pick<
  WriterHostCalls,
  'wrote' | 'failed' | 'retried' | 'expired'
> {
  settings: Settings;
  /** Path of the data folder. */
  dir: string;
  journal: LocalJournal;
  registry: Registry;
  clock: Clock;
  time: AgeClock;
  logger: Logger;
  random: () => number;
  /** Throws when the data folder is not the one any more that this process uses. */
  look: () => void;
  /** The open file of the lock that the process holds as well. */
  lock: number;
  /** Hears of each settlement that is on disk. */
  onSettled: (settlement: Settlement) => void;
}

/** A writer process, and what it told last. */
interface RunningWriter extends Child {
  process: ChildProcess;
  calls: RemoteWriter;
  report: WriterReport | null;
  usage: ProcessUsage | null;
}

/**
 * The writer process as the server has it: tells it how far the journal is and settles for it. What one had not settled
 * when it ended, the next one writes again or finds in the store.
 */
export class WriterProcess {
  readonly store: RemoteStore;
  readonly #options: WriterProcessOptions;
  readonly #supervisor: Supervisor<RunningWriter>;
  readonly #ends = new WriterEnds();
  #audit: AuditStatus = { state: 'ok', checked: 0, missing: 0, lastRunMs: null };
  /** As the last process told. */
  #told: Pick<WriterStatus, 'alarm' | 'storeMissingFrames' | 'journalMissingFrames'> = {
    alarm: null,
    storeMissingFrames: 0,
    journalMissingFrames: 0,
  };
  /** Settlements that were asked for and are not on disk yet. */
  readonly #settling = new Set<Promise<void>>();
  /** A state is on its way to the writer; another one is due after it. */
  #telling = false;
  #due = false;
  readonly #stops: (() => void)[];

  private constructor(options: WriterProcessOptions) {
    const { settings, journal, registry, clock, random, logger } = options;
    this.#options = options;
    const { longestCallMs } = STORES[settings.store].traits;
    this.#supervisor = new Supervisor<RunningWriter>(
      {
        name: 'the writer process',
        pidField: 'writerPid',
        spawn: () => this.#spawn(),
        begin: (running) => this.#begin(running),
        // A database may have much to recover.
        beginMs: () => null,
        ask: async (running) => {
          const { busyMs, usage } = await running.calls.alive();
          running.usage = usage;
          const hangs = longestCallMs !== null && busyMs >= longestCallMs;
          return hangs ? `the store has not answered for ${seconds(busyMs)}` : null;
        },
        silentMs: LIMITS.writerSilentMs,
        onEnd: (running, reason, wasReady) => this.#ended(running, reason, wasReady),
      },
      { clock, timing: systemTiming, random, logger },
    );
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
      await host.#supervisor.start();
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
    const { reason, sinceMs, retryInMs: exactMs } = this.#supervisor.down;
    const retryInMs = exactMs === null ? null : Math.round(exactMs);
    const alarm = joined(this.#told.alarm, ends);
    const state = { state: 'failed', circuit: 'open', reason, retryInMs, sinceMs } as const;
    return { ...state, ...backlog, ...this.#told, endedInARow, alarm };
  }

  audit(): AuditStatus {
    return this.#running?.report?.audit ?? this.#audit;
  }

  /** How reads are; null while no process has told. */
  reads(): ReadCounts | null {
    return this.#running?.report?.reads ?? null;
  }

  /** How the process itself is. */
  figures(): ChildProcessFigures {
    const { ready, restarted, child } = this.#supervisor;
    return { up: ready, restarts: restarted, usage: child?.usage ?? null };
  }

  storeState(): StoreState {
    return this.#running?.report?.store ?? { state: 'down', reason: this.#supervisor.down.reason };
  }

  /** Writes what the journal holds, for so long at most, and takes no more. */
  async drain(graceMs: number): Promise<void> {
    this.#supervisor.stop();
    await this.#running?.calls.drain(graceMs).catch((error: unknown) => {
      const message = `the writer did not end as it should: ${messageOf(error)}`;
      this.#options.logger.warn({ err: error }, message);
    });
  }

  /** Closes the store and ends the process. */
  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    await this.#supervisor.close(LIMITS.drainMs, async ({ calls, process: child }) => {
      await calls.close();
      if (child.connected) child.disconnect();
    });
  }

  get #running(): RunningWriter | null {
    return this.#supervisor.child;
  }

  #calls(): RemoteWriter {
    if (this.#running === null) throw new MillraceError('store_unavailable', this.#supervisor.down.reason);
    return this.#running.calls;
  }

  #spawn(): RunningWriter {
    const { wrote, failed, retried, expired, look, lock } = this.#options;
    // It would open what is there now.
    look();
    const child = fork(PROGRAM, {
      env: { ...process.env, UV_THREADPOOL_SIZE: String(LIMITS.writerPoolThreads) },
      serialization: 'advanced',
      // It does nothing with the lock but to live: until it has ended, the next server waits.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', lock],
    });
    const calls = connect<WriterCalls, WriterHostCalls>(nodeChannel(child), {
      settle: (settlement) => this.#settle(settlement),
      attempt: (attempt) => this.#ends.attempting(attempt),
      report: (report) => {
        if (this.#running === running) this.#reported(running, report);
      },
      wrote,
      failed,
      retried,
      expired,
    });
    const running: RunningWriter = {
      process: child,
      pid: child.pid,
      ended: readToTheEnd(child),
      kill: () => child.kill('SIGKILL'),
      calls,
      report: null,
      usage: null,
    };
    return running;
  }

  async #begin({ calls }: RunningWriter): Promise<void> {
    const { settings, dir, journal, registry, time } = this.#options;
    const { epoch } = journal;
    const { suspects } = this.#ends;
    const [state, schemas] = [journal.state(), registry.contents()];
    await calls.start({ settings, dir, epoch, state, schemas, time: time.known(), suspects });
    // Told of commits only since it runs.
    this.#tell();
  }

  async #ended({ calls }: RunningWriter, reason: string, wasReady: boolean): Promise<void> {
    this.#telling = false;
    calls.$close(new MillraceError('store_unavailable', reason));
    const { logger, journal } = this.#options;
    journal.forgetDeadReaders();
    await Promise.allSettled(this.#settling);
    if (this.#supervisor.stopping) return;
    this.#ends.ended(journal.settledPosition(), journal.head(), reason);
    const alarm = this.#ends.alarm();
    if (alarm !== null) logger.error({ position: journal.settledPosition() }, alarm);
    if (wasReady && this.#ends.narrowed) this.#supervisor.progressed();
  }

  #reported(running: RunningWriter, report: WriterReport): void {
    running.report = report;
    this.#audit = report.audit;
    const { alarm, storeMissingFrames, journalMissingFrames } = report.writer;
    this.#told = { alarm, storeMissingFrames, journalMissingFrames };
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

/** See `Child.ended`: what it sent comes before the end of the channel. */
async function readToTheEnd(child: ChildProcess): Promise<string> {
  const disconnected = new Promise((resolve) => child.once('disconnect', resolve));
  const how = await endOf(child);
  if (child.connected) await disconnected;
  return how;
}
