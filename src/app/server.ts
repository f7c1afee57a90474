import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApi } from '../api/index.ts';
import { LIMITS, MillraceError, messageOf, steadyClock, systemClock } from '../core/index.ts';
import { isLoopback, SETTINGS, type Settings } from '../config/index.ts';
import { FileRoom } from '../files/index.ts';
import {
  DeviceDirectory,
  DeviceLog,
  FRAMES_OPERATION,
  FRAMES_PATH,
  IngestHub,
  MqttBridge,
  Replayer,
} from '../ingest/index.ts';
import { SettledTimes, openLocalJournal } from '../journal/index.ts';
import { openNetServer } from '../net/index.ts';
import { loadSchemaFolder, openRegistry } from '../registry/index.ts';
import { createTail } from '../tail/index.ts';
import { AckLatency, Metrics, type Logger } from '../telemetry/index.ts';
import { authorizer } from './authorize.ts';
import { lockForWriter, openDataFolder } from './data-folder.ts';
import { edgeOptions, withEdge } from './edge.ts';
import { frameLimits } from './frame-limits.ts';
import { logJournalState } from './journal-log.ts';
import { IngestProcesses } from './ingest-process/host.ts';
import { bridgeOptions } from './mqtt-bridge.ts';
import { Parts } from './parts.ts';
import { Report } from './report.ts';
import { SharedPort } from './shared-port.ts';
import { timeBounds } from './time-bounds.ts';
import { ServerTime } from './server-time.ts';
import { OPENED, openWaysIn, type WaysIn } from './ways-in.ts';
import { WriterProcess } from './writer-process/host.ts';

/** How long a connection may take to close by itself after its close frame, in milliseconds. */
const CLOSING_MS = 200;
/** What devices and tails are told. */
const STOPPING = 'the server is stopping';

export interface ServerOptions {
  settings: Settings;
  logger: Logger;
  version: string;
  /** Folder of the built page. */
  pageDir: string;
  /** Those of the product by default. */
  waysIn?: WaysIn;
}

/** A server that takes frames. */
export interface Server {
  /** http://HOST:PORT */
  url: string;
  /** Makes the processes that take devices one more or one less. Rejects with `config_invalid` where that cannot be. */
  resize(by: 1 | -1): Promise<void>;
  /** Drains: takes nothing new, makes durable and acknowledges what came, flushes, closes. Call once. */
  stop(): Promise<void>;
}

/**
 * Starts the parts in order, from the disk outwards; the port comes last. When one fails, those before it
 * are closed again and the error goes on.
 */
export async function startServer(
  options: ServerOptions,
  parts: Parts = new Parts(options.logger, LIMITS.drainMs),
): Promise<Server> {
  const { settings } = options;
  if (settings.schemas !== SETTINGS.schemas.fallback && !existsSync(settings.schemas)) {
    throw new MillraceError(
      'config_invalid',
      `MILLRACE_SCHEMAS: expected a folder, got "${settings.schemas}"`,
    );
  }
  const decided = await withEdge(settings, options.logger);
  try {
    return await startIn(parts, { ...options, settings: decided });
  } catch (error) {
    await parts.abandon();
    throw error;
  }
}

/** Read from the top this is the order of the start, and from the bottom the order of each phase of the stop. */
async function startIn(parts: Parts, options: ServerOptions): Promise<Server> {
  const { settings, logger, version, pageDir, waysIn = OPENED } = options;
  const clock = systemClock;
  const startedMs = steadyClock.nowMs();
  const metrics = new Metrics({ version, edge: settings.edge, store: settings.store });
  const acks = new AckLatency();
  const authorize = authorizer(settings);
  const onError = (error: unknown): void => logger.error({ err: error }, messageOf(error));
  const log = new DeviceLog(logger, (code) => metrics.ended.inc({ code }));
  const onAck = (ms: number): void => {
    acks.add(ms);
    metrics.ackSeconds.observe(ms / 1000);
  };

  const room = new FileRoom();
  const shortage = room.shortage(settings['max-connections']);
  if (shortage !== null) logger.warn({ limit: room.limit, reserve: room.reserve }, shortage);

  const folder = await parts.start({
    name: 'data folder',
    start: () => openDataFolder(settings['data-dir']),
    close: (it) => it.release(),
  });

  const writerLock = await parts.start({
    name: 'lock of the writer',
    start: () => lockForWriter(folder, LIMITS.writerTakeoverMs),
    close: (it) => it.release(),
  });

  const time = await parts.start({
    name: 'time',
    start: () => new ServerTime(folder.path('clock.json'), settings['max-time-ahead'], logger),
    close: (it) => it.close(),
  });

  const registry = await parts.start({
    name: 'registry',
    start: () => openRegistry({ dir: folder.path('registry'), ...timeBounds(settings) }),
    close: (it) => it.close(),
  });
  const subjects = await loadSchemaFolder(registry, settings.schemas);
  if (subjects === null) {
    logger.warn(
      { schemas: resolve(settings.schemas) },
      'there is no schema folder: nothing is registered from it',
    );
  }

  const journal = await parts.start({
    name: 'journal',
    start: () =>
      openLocalJournal({
        dir: folder.path('journal'),
        maxBytes: settings['journal-max-bytes'],
        tailRetentionMs: settings['tail-retention'],
        tailRetentionBytes: settings['tail-retention-bytes'],
        // Where the oldest go instead, the writer sees to it before acks would be withheld.
        maxAgeMs: settings['journal-on-limit'] === 'refuse' ? settings['journal-max-age'] : null,
        dedupeWindowMs: settings['dedupe-window'],
        dedupeFrames: settings['dedupe-frames'],
        maxDeadLetters: settings['dead-letters-max'],
        maxDeadLetterBytes: settings['dead-letters-max-bytes'],
        maxDeadLetterAgeMs: settings['dead-letters-max-age'],
        clock: time.clock.ages,
        stamps: time.clock.stamps,
        // Without the lock another server might come; without the registry nobody could read the frames.
        alsoLook: () => {
          folder.look();
          writerLock.look();
          registry.look();
        },
      }),
    close: (it) => it.close(),
  });
  logJournalState(journal, logger);

  const times = new SettledTimes();
  const writer = await parts.start({
    name: 'writer',
    start: () =>
      WriterProcess.start({
        settings,
        dir: folder.path('.'),
        journal,
        registry,
        clock,
        time: time.clock,
        logger,
        random: Math.random,
        look: () => folder.look(),
        lock: writerLock.file,
        onSettled: (settlement) => times.record(settlement),
        wrote: (ms) => metrics.storeWriteSeconds.observe(ms / 1000),
        failed: (kind) => metrics.storeWriteFailures.inc({ kind }),
        retried: () => metrics.storeRetries.inc(),
        expired: (readings, limit) => {
          for (const [transport, count] of Object.entries(readings)) {
            metrics.expiredReadings.inc({ transport, limit }, count);
          }
        },
      }),
    // What was journaled is safe; the store gets what time is left.
    drain: (it) => it.drain(LIMITS.drainMs / 2),
    close: (it) => it.close(),
  });
  const { store } = writer;

  const replayer = await parts.start({
    name: 'replays of dead letters',
    start: () => new Replayer({ journal, registry, clock }),
    drain: (it) => it.stop(),
  });

  const tail = await parts.start({
    name: 'tails',
    start: () =>
      createTail({
        journal,
        registry,
        store,
        clock,
        times,
        maxTimeAheadMs: settings['max-time-ahead'],
        authorize,
        onDefect: onError,
        onEnded: (error) => log.tailEnded(error),
      }),
    announce: (it) => it.goaway(STOPPING),
    drain: (it) => it.close(),
  });

  const net = await parts.start({
    name: 'connections',
    start: () => openNetServer(onError, edgeOptions(settings, log, room)),
    close: (it) => it.close(),
  });

  const { directory, ingest, processes, bridge } = await parts.start({
    name: 'devices',
    start: () => {
      const held = new DeviceDirectory(journal, settings['max-connections'], settings['max-devices']);
      const common = { journal, directory: held, registry, clock, onAck, onError };
      const hub = new IngestHub({
        ...common,
        log,
        guard: time.clock,
        limits: frameLimits(settings),
        authorize,
        origins: settings.origins,
      });
      openWaysIn(waysIn.table, hub, net);
      const broker = bridgeOptions(settings, folder.path('mqtt-client-id'), logger);
      return {
        directory: held,
        ingest: hub,
        // Here and not in another process: this one lives as long as the journal is open.
        bridge: broker === null ? null : hub.add(new MqttBridge(hub, broker)),
        processes: new IngestProcesses({
          ...common,
          program: waysIn.ingestProgram,
          logger,
          time: time.clock,
          settings,
          random: Math.random,
        }),
      };
    },
    drain: (it) => Promise.all([it.ingest.drain(STOPPING), it.processes.drain(STOPPING)]),
    close: (it) => it.processes.close(),
  });

  const draining = (): boolean => parts.stopping;
  const all = { journal, writer, directory, ingest, processes, bridge, tail, net, acks };
  const report = new Report({ ...all, settings, time, version, startedMs, draining });
  metrics.observe(report.metrics());
  net.websocket(tail.route);
  net.http(
    createApi({
      journal,
      registry,
      store,
      answers: store,
      clock,
      version,
      pageDir,
      described: { [FRAMES_PATH]: { post: FRAMES_OPERATION } },
      queryTimeoutMs: settings['query-timeout'],
      origins: settings.origins,
      loopbackOnly: isLoopback(settings.host),
      status: () => report.ready(),
      stats: () => report.stats(),
      metrics: () => metrics.expose(),
      replay: (request) => replayer.replay(request),
      connected: (device) => directory.isConnected(device),
      onAnswer: (route, status, ms) =>
        metrics.httpSeconds.observe({ route, status: String(status) }, ms / 1000),
    }),
  );

  const { sharing, number } = await parts.start({
    name: 'port',
    start: async () => {
      const port = new SharedPort(net, processes, settings);
      return { sharing: port, number: await port.open() };
    },
    announce: () => net.stopListening(),
    // The others have sent their close frames.
    close: () => sleep(CLOSING_MS),
  });

  if (bridge !== null) {
    await parts.start({ name: 'MQTT bridge', start: () => bridge.start(), close: () => bridge.closed() });
  }

  const url = `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${number}`;
  logger.info({ url, edge: settings.edge, store: store.kind, data: folder.path('.'), subjects }, 'ready');
  return {
    url,
    resize: (by) => sharing.resize(by),
    stop: async () => {
      await parts.stop();
      logger.info('stopped');
    },
  };
}
