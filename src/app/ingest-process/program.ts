/**
 * An ingest process: takes frames on the port that it shares with the server, checks them, and has the server
 * journal them. Everything else that comes to the port goes on to the server.
 */
import { Socket } from 'node:net';
import { AgeClock, LIMITS, MillraceError, messageOf, steadyClock, systemClock } from '../../core/index.ts';
import { FileRoom } from '../../files/index.ts';
import { DeviceLog, IngestHub } from '../../ingest/index.ts';
import { openNetServer, type NetServer } from '../../net/index.ts';
import { RegistryCopy } from '../../registry/index.ts';
import { goawayMessage, TAIL_ROUTE } from '../../tail/index.ts';
import { createLogger } from '../../telemetry/index.ts';
import { authorizer } from '../authorize.ts';
import { ownUsage } from '../child-process/index.ts';
import { edgeOptions } from '../edge.ts';
import { frameLimits } from '../frame-limits.ts';
import { connect } from '../process-calls.ts';
import { timeBounds } from '../time-bounds.ts';
import { openWaysIn, type WaysInTable } from '../ways-in.ts';
import type { IngestCalls, IngestSetup, IngestHostCalls } from './calls.ts';
import { ForwardedSockets } from './forward-socket.ts';
import { forwardTo } from './forward.ts';
import { ProcessLink } from './link.ts';
import { Upstream } from './upstream.ts';

/** The stream to the server, as the server has opened it for us. */
const SERVER_FD = 3;

/** The parts, once the server has told what is to be known. */
interface ProgramParts {
  upstream: Upstream;
  registry: RegistryCopy;
  hub: IngestHub;
  tails: ForwardedSockets;
  /** Parts are there at once, so that none misses news; what is to listen may have to be loaded first. */
  opening: Promise<NetServer>;
}

class IngestProgram {
  readonly #link: ProcessLink;
  readonly #server;
  readonly #waysIn: WaysInTable;
  #parts: ProgramParts | null = null;

  constructor(link: ProcessLink, waysIn: WaysInTable) {
    this.#link = link;
    this.#waysIn = waysIn;
    this.#server = connect<IngestHostCalls, IngestCalls>(link, {
      start: (setup) => this.#start(setup),
      condition: (condition) => this.#parts?.upstream.update(condition),
      registered: (version, text) => this.#parts?.registry.add(version, text),
      replaced: (connection) => this.#parts?.upstream.replaced(connection),
      failed: (connection) => this.#parts?.upstream.failed(connection),
      alive: ownUsage,
      drain: (reason) => this.#drain(reason),
      close: (graceMs) => this.#close(graceMs),
    });
    link.open({
      frames: () => {
        throw new MillraceError('internal', 'the server sent frames');
      },
      durable: (payload) => this.#parts?.upstream.durable(payload),
      duplicates: (payload) => this.#parts?.upstream.duplicates(payload),
    });
  }

  async #drain(reason: string): Promise<void> {
    if (this.#parts === null) return;
    const { opening, hub } = this.#parts;
    (await opening).stopListening();
    await hub.drain(reason);
  }

  /** Tails have had the server's own word, unless it goes on without this process. */
  async #close(graceMs: number): Promise<void> {
    if (this.#parts === null) return;
    const { tails, opening } = this.#parts;
    tails.goaway(goawayMessage('this process is stopping').json);
    const net = await opening;
    await net.answered(graceMs);
    net.close();
  }

  async #start({ settings, port, serverPort, epoch, condition, time, schemas }: IngestSetup): Promise<void> {
    const logger = createLogger(settings['log-level']);
    const onError = (error: unknown): void => logger.error({ err: error }, messageOf(error));
    const log = new DeviceLog(logger);
    const authorize = authorizer(settings);
    const upstream = new Upstream(this.#link, this.#server, epoch, condition);
    const registry = new RegistryCopy(schemas, timeBounds(settings));
    const guard = new AgeClock(systemClock, steadyClock, time, settings['max-time-ahead']);
    // What it guards by is as of its last look, and nobody else here has it look.
    setInterval(() => guard.condition(), LIMITS.clockLookMs).unref();
    const hub = new IngestHub({
      journal: upstream,
      directory: upstream,
      registry,
      limits: frameLimits(settings),
      authorize,
      origins: settings.origins,
      clock: systemClock,
      guard,
      log,
      onAck: (ms) => upstream.acknowledged(ms),
      onError,
    });
    const tails = new ForwardedSockets(serverPort, TAIL_ROUTE, authorize, (error) => log.tailEnded(error));
    const opening = openNetServer(onError, edgeOptions(settings, log, new FileRoom()));
    this.#parts = { upstream, registry, hub, tails, opening };
    const net = await opening;
    openWaysIn(this.#waysIn, hub, net);
    net.websocket(tails.route);
    net.http(forwardTo(serverPort));
    await net.join(settings.host, port);
  }
}

/** What an ingest process does until its server ends it. `waysIn` are those that the server has. */
export function runIngestProcess(waysIn: WaysInTable): void {
  // Where all processes get a signal the server does, and tells what to do; without it there is nothing to do.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGTTIN', 'SIGTTOU'] as const) process.on(signal, () => {});
  const stream = new Socket({ fd: SERVER_FD });
  stream.on('close', () => process.exit(0));
  void new IngestProgram(new ProcessLink(stream), waysIn);
}
