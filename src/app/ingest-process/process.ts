import { spawn, type ChildProcess } from 'node:child_process';
import { type Duplex, PassThrough } from 'node:stream';
import type { BirpcReturn } from 'birpc';
import { LIMITS, MillraceError } from '../../core/index.ts';
import type { ChildProcessFigures } from '../../telemetry/index.ts';
import {
  type Child,
  endOf,
  type ProcessUsage,
  Supervisor,
  type Supervision,
} from '../child-process/index.ts';
import { connect } from '../process-calls.ts';
import type { IngestCalls, IngestSetup, IngestHostCalls } from './calls.ts';
import { KIND, ProcessLink } from './link.ts';
import { ServedIngest, type ServedIngestOptions } from './served-ingest.ts';

/** Where the link is among the child's files. */
const LINK_FD = 3;

type RemoteIngest = BirpcReturn<IngestCalls, IngestHostCalls>;

export interface IngestProcessOptions extends ServedIngestOptions {
  /** The file that Node runs. */
  program: string;
  /** What a process that starts now has to know. */
  setup: () => IngestSetup;
  supervision: Supervision;
}

interface RunningIngest extends Child {
  setup: IngestSetup;
  stream: Duplex;
  calls: RemoteIngest;
  served: ServedIngest;
  usage: ProcessUsage | null;
}

/** One place for an ingest process: what the server has to do with the one that takes it, and with the next one. */
export class IngestProcess {
  readonly #options: IngestProcessOptions;
  readonly #supervisor: Supervisor<RunningIngest>;
  #drained: Promise<void> | null = null;

  constructor(options: IngestProcessOptions) {
    this.#options = options;
    this.#supervisor = new Supervisor<RunningIngest>(
      {
        name: 'the ingest process',
        pidField: 'ingestPid',
        spawn: () => this.#spawn(),
        begin: ({ calls, setup }) => calls.start(setup),
        // It compiles all schemas, and answers nothing meanwhile.
        beginMs: ({ setup }) =>
          LIMITS.ingestStartMs + LIMITS.ingestStartSchemaMs * setup.schemas.schemas.length,
        ask: async (running) => {
          running.usage = await running.calls.alive();
          return null;
        },
        silentMs: LIMITS.ingestSilentMs,
        onEnd: ({ calls, served }, reason) => {
          calls.$close(new MillraceError('internal', reason));
          // Its devices have to connect again.
          served.ended();
        },
      },
      options.supervision,
    );
  }

  /** Starts the first one; resolves when devices can connect to it, rejects with its error when it cannot begin. */
  start(): Promise<void> {
    return this.#supervisor.start();
  }

  /** Its port is open. */
  get ready(): boolean {
    return this.#supervisor.ready;
  }

  /** How the process itself is. */
  figures(): ChildProcessFigures {
    const { ready, restarted, child } = this.#supervisor;
    return { up: ready, restarts: restarted, usage: child?.usage ?? null };
  }

  get connections(): number {
    return this.#supervisor.child?.served.connections ?? 0;
  }

  /** Tells something of the server, when there is somebody to tell; resolves when that is known there. */
  async tell(what: (calls: RemoteIngest) => Promise<unknown>): Promise<void> {
    const running = this.#supervisor.child;
    if (running !== null) await what(running.calls).catch(() => undefined);
  }

  /** Ends its devices' connections, after the acks of what they have sent; nothing is started again. */
  drain(reason: string): Promise<void> {
    this.#supervisor.stop();
    this.#drained ??= this.tell((calls) => calls.drain(reason));
    return this.#drained;
  }

  /** Ends the process, which may answer its requests for `graceMs` yet: by a word, and by force when it does not go. */
  close(graceMs = 0): Promise<void> {
    return this.#supervisor.close(graceMs + LIMITS.processCloseMs, async ({ stream }) => {
      await this.tell((calls) => calls.close(graceMs));
      stream.end();
    });
  }

  #spawn(): RunningIngest {
    const { program } = this.#options;
    const setup = this.#options.setup();
    const child = spawn(process.execPath, [...process.execArgv, program], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    });
    const opened = linkOf(child);
    const stream = opened ?? new PassThrough().destroy();
    const link = new ProcessLink(stream);
    const served = new ServedIngest(this.#options, {
      replaced: (connection) => void calls.replaced.asEvent(connection).catch(() => {}),
      failed: (connection) => void calls.failed.asEvent(connection).catch(() => {}),
      durable: (payload) => link.send(KIND.durable, payload),
      duplicates: (payload) => link.send(KIND.duplicates, payload),
    });
    const calls: RemoteIngest = connect<IngestCalls, IngestHostCalls>(link, {
      claim: (connection, transport, who) => served.claim(connection, transport, who),
      request: (connection, transport, device) => served.request(connection, transport, device),
      release: (connection) => served.release(connection),
      reject: (connection, seq, letter) => served.reject(connection, seq, letter),
      flush: () => served.flush(),
      acknowledged: (waits) => served.acknowledged(waits),
    });
    link.open({ frames: (payload) => served.frames(payload), durable: () => {}, duplicates: () => {} });
    return {
      setup,
      pid: child.pid,
      ended: readToTheEnd(child, opened),
      kill: () => child.kill('SIGKILL'),
      stream,
      calls,
      served,
      usage: null,
    };
  }
}

/** Null when there was no file left for it, so that the process could not be made, of which Node's types know nothing. */
function linkOf(child: { stdio?: ChildProcess['stdio'] }): Duplex | null {
  return (child.stdio?.[LINK_FD] ?? null) as Duplex | null;
}

/** See `Child.ended`: what it sent comes before the end of the link. */
async function readToTheEnd(child: ChildProcess, stream: Duplex | null): Promise<string> {
  const closed = stream === null ? null : new Promise((resolve) => stream.once('close', resolve));
  const how = await endOf(child);
  await closed;
  return how;
}
