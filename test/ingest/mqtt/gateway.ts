import { LIMITS, systemClock } from '../../../src/core/index.ts';
import { DeviceDirectory, DeviceLog, IngestHub } from '../../../src/ingest/index.ts';
import type { Journal } from '../../../src/journal/index.ts';
import { openJournalOn } from '../../../src/journal/local/open.ts';
import { openStorage } from '../../../src/journal/local/lmdb/lmdb-storage.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../../src/registry/index.ts';
import { temporaryFolder } from '../../fixtures/folder.ts';
import { recordedLog, type LogLine } from '../../fixtures/recorded-log.ts';
import { FaultyStorage } from '../../journal/faulty-storage.ts';

/** What a way in stands on: a journal on real files whose commits can be held or made to fail, and a hub over it. */
export interface TestGateway {
  storage: FaultyStorage;
  journal: Journal;
  registry: Registry;
  hub: IngestHub;
  logger: ReturnType<typeof recordedLog>['logger'];
  lines: LogLine[];
  close(): Promise<void>;
}

export async function openGateway(): Promise<TestGateway> {
  const folder = temporaryFolder();
  const registry = await openRegistry({ dir: `${folder.path}/registry` });
  await loadSchemaFolder(registry, 'schemas');
  const storage = new FaultyStorage(openStorage(`${folder.path}/journal`, 1e9, Date.now()));
  const journal = await openJournalOn(storage, {
    recoveryMinMs: 5,
    recoveryMaxMs: 20,
    dedupeWindowMs: LIMITS.dedupeWindowMs,
    dedupeFrames: 10_000,
  });
  const { logger, lines } = recordedLog();
  const hub = new IngestHub({
    journal,
    registry,
    limits: { maxFrameBytes: 64 * 1024, maxUnacked: 8, maxUnackedBytes: 65_536 },
    directory: new DeviceDirectory(journal, 10),
    authorize: () => {},
    origins: [],
    clock: systemClock,
    guard: { earliestMs: 0 },
    log: new DeviceLog(logger),
    onAck: () => {},
    onError: (error) => logger.error({ err: error }, 'a defect'),
  });
  const close = async (): Promise<void> => {
    await journal.close();
    await registry.close();
    folder.remove();
  };
  return { storage, journal, registry, hub, logger, lines, close };
}
