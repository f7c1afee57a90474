import { spawn, type ChildProcess } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BirpcReturn } from 'birpc';
import { LIMITS, MillraceError, messageOf, steadyClock } from '../../core/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import { connect } from '../process-calls.ts';
import type { RestartDelay } from '../restart-delay.ts';
import { Watchdog } from '../watchdog.ts';
import type { IngestCalls, IngestSetup, IngestHostCalls } from './calls.ts';
import { KIND, ProcessLink } from './link.ts';
import { ServedIngest, type ServedIngestOptions } from './served-ingest.ts';

const PROGRAM = fileURLToPath(new URL('main.js', import.meta.url));
/** Where the link is among the child's files. */
const LINK_FD = 3;

type RemoteIngest = BirpcReturn<IngestCalls, IngestHostCalls>;

export interface IngestProcessOptions extends ServedIngestOptions {
  /** What a process that starts now has to know. */
  setup: () => IngestSetup;
  restarts: RestartDelay;
  logger: Logger;
}

interface RunningIngest {
  child: ChildProcess;
  stream: Duplex;
  calls: RemoteIngest;
  served: ServedIngest;
  ended: Promise<string>;
}

/** One place for an ingest process: starts it, watches it, and starts another when it ends. */
export class IngestProcess {
  readonly #options: IngestProcessOptions;
  #running: RunningIngest | null = null;
  /** Its port is open. */
  #ready = false;
  #stopping = false;
  #restart: NodeJS.Timeout | null = null;
  #drained: Promise<void> | null = null;

  constructor(options: IngestProcessOptions) {
    this.#options = options;
  }

  /** Starts the first one; resolves when devices can connect to it, rejects with its error when it cannot begin. */
  async start(): Promise<void> {
    await this.#launch();
  }

  get ready(): boolean {
    return this.#ready;
  }

  get connections(): number {
    return this.#running?.served.connections ?? 0;
  }

  /** Tells something of the server, when there is somebody to tell; resolves when that is known there. */
  async tell(what: (calls: RemoteIngest) => Promise<unknown>): Promise<void> {
    if (this.#running === null) return;
    await what(this.#running.calls).catch(() => undefined);
  }

  /** Ends its devices' connections, after the acks of what they have sent; nothing is started again. */
  drain(reason: string): Promise<void> {
    this.#stop();
    this.#drained ??= this.tell((calls) => calls.drain(reason));
    return this.#drained;
  }

  /** Ends the process, which may answer its requests for `graceMs` yet: by a word, and by force when it does not go. */
  async close(graceMs = 0): Promise<void> {
    this.#stop();
    const running = this.#running;
    if (running === null) return;
    const late = sleep(graceMs + LIMITS.processCloseMs, null, { ref: false });
    await Promise.race([this.tell((calls) => calls.close(graceMs)), late]);
    running.stream.end();
    await Promise.race([running.ended, late]);
    running.child.kill('SIGKILL');
    await running.ended;
  }

  /** At once, whatever it is doing; for a server that ends without waiting. */
  kill(): void {
    this.#running?.child.kill('SIGKILL');
  }

  #stop(): void {
    this.#stopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
  }

  async #launch(): Promise<void> {
    const { setup, logger } = this.#options;
    const child = spawn(process.execPath, [...process.execArgv, PROGRAM], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    });
    const stream = linkOf(child);
    const ended = endOf(child, stream);
    // Without a file left for it there is not even a link.
    if (stream === null) throw new MillraceError('internal', `the ingest process ended with ${await ended}`);
    const link = new ProcessLink(stream);
    const served = new ServedIngest(this.#options, {
      replaced: (connection) => void calls.replaced.asEvent(connection).catch(() => {}),
      failed: (connection) => void calls.failed.asEvent(connection).catch(() => {}),
      durable: (payload) => link.send(KIND.durable, payload),
    });
    const calls: RemoteIngest = connect<IngestCalls, IngestHostCalls>(link, {
      claim: (connection, device, outboxId) => served.claim(connection, device, outboxId),
      release: (connection) => served.release(connection),
      reject: (connection, seq, letter) => served.reject(connection, seq, letter),
      flush: () => served.flush(),
      acknowledged: (waits) => served.acknowledged(waits),
    });
    link.open({ frames: (payload) => served.frames(payload), durable: () => {} });
    const running: RunningIngest = { child, stream, calls, served, ended };
    this.#running = running;
    const watched = this.#watch(running);
    let starting: Watchdog | null = null;
    try {
      const told = setup();
      const startMs = LIMITS.ingestStartMs + LIMITS.ingestStartSchemaMs * told.schemas.schemas.length;
      const started = calls.start(told);
      starting = this.#guard(child, () => started, startMs);
      await started;
    } catch (error) {
      child.kill('SIGKILL');
      await watched;
      throw error;
    } finally {
      starting?.stop();
    }
    this.#ready = true;
    const living = this.#guard(child, () => calls.ping(), LIMITS.ingestSilentMs);
    void watched.finally(() => living.stop());
    logger.info({ ingestPid: child.pid }, 'an ingest process runs');
  }

  /** Ends the process when `ask` stays without an answer for so long. */
  #guard(child: ChildProcess, ask: () => Promise<unknown>, silentMs: number): Watchdog {
    return new Watchdog({
      ask: async () => {
        await ask();
        return null;
      },
      silentMs,
      onHang: (reason) => {
        this.#options.logger.error(
          { ingestPid: child.pid },
          `the ingest process hangs and is ended: ${reason}`,
        );
        child.kill('SIGKILL');
      },
    });
  }

  /** Resolves when the process has ended, and its calls are answered. */
  async #watch(running: RunningIngest): Promise<void> {
    const { logger, restarts } = this.#options;
    const startedMs = steadyClock.nowMs();
    const how = await running.ended;
    const reason = `the ingest process ended with ${how}`;
    const wasReady = this.#ready;
    this.#ready = false;
    this.#running = null;
    running.calls.$close(new MillraceError('internal', reason));
    running.served.ended();
    if (!wasReady || this.#stopping) return;
    logger.error({ ingestPid: running.child.pid }, `${reason}; its devices have to connect again`);
    restarts.ended(startedMs);
    this.#again();
  }

  #again(): void {
    const { logger, restarts } = this.#options;
    this.#restart = setTimeout(() => {
      this.#launch().catch((error: unknown) => {
        if (this.#stopping) return;
        logger.error({ err: error }, `the ingest process does not start: ${messageOf(error)}`);
        this.#again();
      });
    }, restarts.nextMs());
  }
}

/** Null when the process could not be made and has no streams, of which Node's types know nothing. */
function linkOf(child: { stdio?: ChildProcess['stdio'] }): Duplex | null {
  return (child.stdio?.[LINK_FD] ?? null) as Duplex | null;
}

/** How a process ended, in words, when all that it sent has been read. To be asked at once, so that no error is missed. */
async function endOf(child: ChildProcess, stream: Duplex | null): Promise<string> {
  const closed = stream === null ? null : new Promise((resolve) => stream.once('close', resolve));
  const how = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(messageOf(error)));
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  await closed;
  return how;
}
