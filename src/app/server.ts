import { existsSync } from 'node:fs';
import { createApi, type ServerStats } from '../api/index.ts';
import { LIMITS, MillraceError, messageOf, systemClock } from '../core/index.ts';
import { isLoopback, SETTINGS, type Settings } from '../config/index.ts';
import { DeviceDirectory, IngestHub, Replayer, sumFrames } from '../ingest/index.ts';
import { openLocalJournal } from '../journal/index.ts';
import { NetServer } from '../net/index.ts';
import { loadSchemaFolder, openRegistry } from '../registry/index.ts';
import { createTail } from '../tail/index.ts';
import { AckLatency, Metrics, Rate, type Logger } from '../telemetry/index.ts';
import { authorizer } from './authorize.ts';
import { openDataFolder, type DataFolder } from './data-folder.ts';
import { logJournalState } from './journal-log.ts';
import { IngestProcesses } from './ingest-process/host.ts';
import { sessionLimits } from './session-limits.ts';
import { timeBounds } from './time-bounds.ts';
import { SharedPort } from './shared-port.ts';
import { devicesByProcess, readyReport, writerStats } from './report.ts';
import { WriterProcess } from './writer-process/host.ts';

/** How long a connection may take to close by itself after its close frame, in milliseconds. */
const CLOSING_MS = 200;
const RATE_WINDOW_MS = 5_000;

export interface ServerOptions {
  settings: Settings;
  logger: Logger;
  version: string;
  /** Folder of the built page. */
  pageDir: string;
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
 * Opens the parts in order, from the disk outwards; the port comes last. When one fails, those before it
 * are closed again and the error goes on.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { settings } = options;
  if (settings.schemas !== SETTINGS.schemas.fallback && !existsSync(settings.schemas)) {
    throw new MillraceError(
      'config_invalid',
      `MILLRACE_SCHEMAS: expected a folder, got "${settings.schemas}"`,
    );
  }
  const opened: (() => unknown)[] = [];
  try {
    const folder = openDataFolder(settings['data-dir']);
    opened.push(() => folder.release());
    return await startIn(folder, options, opened);
  } catch (error) {
    for (const close of opened.toReversed()) {
      try {
        await close();
      } catch (failure) {
        options.logger.error({ err: failure }, 'closing after a failed start');
      }
    }
    throw error;
  }
}

async function startIn(
  folder: DataFolder,
  { settings, logger, version, pageDir }: ServerOptions,
  opened: (() => unknown)[],
): Promise<Server> {
  const clock = systemClock;
  const startedMs = clock.nowMs();

  const registry = await openRegistry({
    dir: folder.path('registry'),
    ...timeBounds(settings),
  });
  opened.push(() => registry.close());
  const subjects = await loadSchemaFolder(registry, settings.schemas);
  const journal = await openLocalJournal({
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
    // Without the lock another server might come; without the registry nobody could read the frames.
    alsoLook: () => {
      folder.look();
      registry.look();
    },
  });
  opened.push(() => journal.close());
  logJournalState(journal, logger);

  const metrics = new Metrics();
  const acks = new AckLatency();
  const rate = new Rate(RATE_WINDOW_MS);
  const authorize = authorizer(settings);
  const onError = (error: unknown): void => logger.error({ err: error }, messageOf(error));

  const writer = await WriterProcess.start({
    settings,
    dir: folder.path('.'),
    journal,
    registry,
    clock,
    logger,
    random: Math.random,
    look: () => folder.look(),
    wrote: (ms) => metrics.storeWriteSeconds.observe(ms / 1000),
    failed: (kind) => metrics.storeWriteFailures.inc({ kind }),
    retried: () => metrics.storeRetries.inc(),
    expired: (readings, limit) => {
      for (const [transport, count] of Object.entries(readings)) {
        metrics.expiredReadings.inc({ transport, limit }, count);
      }
    },
  });
  opened.push(() => writer.close());
  const { store } = writer;

  const directory = new DeviceDirectory(journal, settings['max-connections']);
  const onAck = (ms: number): void => {
    acks.add(ms);
    metrics.ackSeconds.observe(ms / 1000);
  };
  const ingest = new IngestHub({
    journal,
    directory,
    registry,
    limits: sessionLimits(settings),
    authorize,
    clock,
    logger,
    onAck,
    onError,
  });
  const processes = new IngestProcesses({
    settings,
    journal,
    directory,
    registry,
    clock,
    random: Math.random,
    logger,
    onAck,
    onError,
  });
  opened.push(() => processes.close());
  const replayer = new Replayer({ journal, registry, clock });
  const tail = createTail({
    journal,
    registry,
    store,
    clock,
    maxTimeAheadMs: settings['max-time-ahead'],
    authorize,
    onDefect: onError,
  });

  let draining = false;
  const connections = (): { devices: number; tails: number } => ({
    devices: directory.connections,
    tails: tail.stats().connections,
  });
  metrics.observe({
    ledger: () => journal.ledger(),
    journal: () => journal.stats(),
    frames: () => sumFrames([ingest.frames, processes.frames]),
    connections,
    devicesByProcess: () => devicesByProcess(ingest.connections, processes),
    storeUp: () => writer.storeState().state === 'up',
    writer: () => writer.status(),
    audit: () => writer.audit(),
  });
  const stats = (): ServerStats => {
    const ledger = journal.ledger();
    const nowMs = clock.nowMs();
    const { state, reason = null, pendingBytes, maxBytes } = journal.stats();
    return {
      devices: { connected: connections().devices },
      tails: connections().tails,
      readings: { perSecond: rate.perSecond(ledger.received, nowMs), total: ledger.received },
      ackMs: { p50: acks.percentile(0.5), p99: acks.percentile(0.99) },
      store: { kind: store.kind, ...writer.storeState() },
      journal: { state, reason, pendingBytes, pendingReadings: ledger.pending, maxBytes },
      writer: writerStats(writer.status()),
      version,
      uptimeS: Math.round((nowMs - startedMs) / 1000),
    };
  };

  const net = new NetServer(onError);
  opened.push(() => net.close());
  net.websocket(ingest.route);
  net.websocket(tail.route);
  net.http(
    createApi({
      journal,
      registry,
      store,
      clock,
      version,
      pageDir,
      queryTimeoutMs: settings['query-timeout'],
      origins: settings.origins,
      loopbackOnly: isLoopback(settings.host),
      status: () => readyReport(draining, journal, writer, processes),
      stats,
      metrics: () => metrics.expose(),
      replay: (request) => replayer.replay(request),
      connected: (device) => directory.isConnected(device),
      onAnswer: (route, status, ms) =>
        metrics.httpSeconds.observe({ route, status: String(status) }, ms / 1000),
    }),
  );
  const sharing = new SharedPort(net, processes, settings);
  const port = await sharing.open();
  const url = `http://${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${port}`;
  logger.info({ url, store: store.kind, data: folder.path('.'), subjects }, 'ready');

  return {
    url,
    resize: (by) => sharing.resize(by),
    stop: () => withDeadline(stopInOrder(), LIMITS.drainMs, logger),
  };

  async function stopInOrder(): Promise<void> {
    draining = true;
    net.stopListening();
    tail.goaway('the server is stopping');
    await Promise.all([ingest.drain('the server is stopping'), processes.drain('the server is stopping')]);
    await tail.close();
    await replayer.stop();
    // What was journaled is safe; the store gets what time is left.
    await writer.drain(LIMITS.drainMs / 2);
    await new Promise((resolve) => setTimeout(resolve, CLOSING_MS));
    await processes.close();
    net.close();
    await writer.close();
    await journal.close();
    await registry.close();
    folder.release();
    logger.info('stopped');
  }
}

/** What was acknowledged is in the journal, so a part that hangs may be left behind. */
async function withDeadline(work: Promise<void>, ms: number, logger: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      logger.warn(
        { ms },
        'stopped without waiting any longer; the journal keeps what the store has not taken',
      );
      resolve();
    }, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
