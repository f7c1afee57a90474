/**
 * The writer process: it alone has the store open, and moves frames from the journal into it. Its parent tells how
 * far the journal is synced and settles what the store has taken; frames are read from the journal's files.
 */
import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import type { BirpcReturn } from 'birpc';
import { Answers } from '../../answers/index.ts';
import { AgeClock, LIMITS, MillraceError, messageOf, steadyClock, systemClock } from '../../core/index.ts';
import { JournalFollower } from '../../journal/index.ts';
import { RegistryCopy } from '../../registry/index.ts';
import { openStore, type Store } from '../../store/index.ts';
import { createLogger, type Logger } from '../../telemetry/index.ts';
import { Audit, Holes, Writer } from '../../writer/index.ts';
import { ownUsage } from '../child-process/index.ts';
import { connect, nodeChannel } from '../process-calls.ts';
import type { WriterHostCalls, WriterCalls, WriterReport, WriterSetup } from './calls.ts';
import { ServedAnswers } from './served-answers.ts';
import { ServedReads } from './served-reads.ts';

/**
 * Devices wait for acks, and nobody for the store: while the server needs the cores, it gets a tenth of them and what is
 * left. At 19 it would get nearly none where others are busy, and never catch up.
 */
const NICENESS = 10;

const ignore = (): void => {};

type RemoteHost = BirpcReturn<WriterHostCalls, WriterCalls>;

/** The parts, once the store is open. */
interface WriterParts {
  store: Store;
  writer: Writer;
  audit: Audit;
}

class WriterProgram {
  /** Set with the first calls. */
  #server: RemoteHost | null = null;
  #journal: JournalFollower | null = null;
  #registry: RegistryCopy | null = null;
  #parts: WriterParts | null = null;
  #reported = '';
  /** The store is closed, and nothing is left to do. */
  closed = false;
  readonly #answers = new Answers(() => this.#opened.store);
  readonly #reads = new ServedReads(() => this.#opened.store, this.#answers.places.work);
  readonly #served = new ServedAnswers(this.#answers);

  get #opened(): WriterParts {
    if (this.#parts === null) throw new MillraceError('store_unavailable', 'the store is being opened');
    return this.#parts;
  }

  run(): void {
    const reads = this.#reads;
    const served = this.#served;
    this.#server = connect<WriterHostCalls, WriterCalls>(nodeChannel(process), {
      start: (setup) => this.#start(setup),
      committed: (state) => this.#journal?.update(state),
      registered: (version, text) => this.#registry?.add(version, text),
      openRead: (id, request) => reads.open(id, request),
      nextPage: (id) => reads.next(id),
      openAnswer: (id, request) => served.open(id, request),
      nextPiece: (id) => served.next(id),
      devices: (id, query) => reads.whole(id, (store, signal) => store.devices(query, signal)),
      device: (id, query) => reads.whole(id, (store, signal) => store.device(query, signal)),
      endRead: (id, reason) => {
        reads.end(id, reason);
        served.end(id, reason);
      },
      alive: () => ({ busyMs: this.#parts?.writer.busyMs() ?? 0, usage: ownUsage() }),
      drain: (graceMs) => this.#drain(graceMs),
      close: () => this.#close(),
    });
  }

  /** Journal and registry are there before it waits for anything, so that no news of them is missed. */
  async #start({ settings, dir, epoch, state, schemas, time, suspects }: WriterSetup): Promise<void> {
    const server = this.#server;
    if (server === null) throw new MillraceError('internal', 'started before it runs');
    const journal = new JournalFollower({
      dir: join(dir, 'journal'),
      maxBytes: settings['journal-max-bytes'],
      epoch,
      state,
      settle: (settlement) => server.settle(settlement),
    });
    const registry = new RegistryCopy(schemas);
    this.#journal = journal;
    this.#registry = registry;
    const logger = createLogger(settings['log-level']);
    const store = await openStore(settings, (name) => join(dir, name));
    const common = { journal, registry, store, clock: systemClock, logger, random: Math.random };
    const { ages } = new AgeClock(systemClock, steadyClock, time, settings['max-time-ahead']);
    const writer = new Writer({
      ...common,
      ages,
      holes: Holes.open(join(dir, 'holes.json')),
      suspects,
      onAttempt: (attempt) => server.attempt(attempt),
      onWrite: (ms) => void server.wrote.asEvent(ms).catch(ignore),
      onFailure: (kind) => void server.failed.asEvent(kind).catch(ignore),
      onRetry: () => void server.retried.asEvent().catch(ignore),
      onExpired: (readings, limit) => void server.expired.asEvent(readings, limit).catch(ignore),
      expiry: settings['journal-on-limit'] === 'refuse' ? null : { maxAgeMs: settings['journal-max-age'] },
    });
    await writer.start();
    const audit = new Audit({ ...common, storedTo: () => writer.position });
    audit.start();
    this.#parts = { store, writer, audit };
    stepBack(logger);
    this.#report(server);
    setInterval(() => this.#report(server), LIMITS.writerReportMs);
  }

  /** Tells how it is, when that has changed. */
  #report(server: RemoteHost): void {
    const { store, writer, audit } = this.#opened;
    const report: WriterReport = {
      writer: writer.status(),
      audit: audit.status(),
      store: store.state(),
      reads: this.#answers.places.counts(),
    };
    const text = JSON.stringify(report);
    if (text === this.#reported) return;
    this.#reported = text;
    server.report.asEvent(report).catch(() => {});
  }

  async #drain(graceMs: number): Promise<void> {
    if (this.#parts === null) return;
    const { audit, writer } = this.#parts;
    await audit.stop();
    await writer.stop(graceMs);
  }

  async #close(): Promise<void> {
    if (this.#parts === null) return;
    const { store } = this.#parts;
    await this.#drain(0);
    await store.close();
    await this.#journal?.close();
    this.closed = true;
  }
}

const writer = new WriterProgram();
// The parent gets the same signal, and tells what to do; without it there is nothing to do.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => {
  if (writer.closed) process.exit(0);
  process.kill(process.pid, 'SIGKILL');
});
writer.run();

/** Linux has a priority per thread, which those started later inherit: the engine's and the database's are there by now. */
function stepBack(logger: Logger): void {
  try {
    const threads = process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [0];
    for (const thread of threads) setPriority(thread, NICENESS);
  } catch (error) {
    logger.warn({ err: error }, `the writer keeps its priority: ${messageOf(error)}`);
  }
}
