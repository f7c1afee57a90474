import { systemClock, type EdgeKind } from '../../src/core/index.ts';
import { DeviceDirectory, DeviceLog, IngestHub, openHttp } from '../../src/ingest/index.ts';
import { openLocalJournal, type LocalJournal } from '../../src/journal/index.ts';
import type { NetServer } from '../../src/net/index.ts';
import { loadSchemaFolder, openRegistry, type Registry } from '../../src/registry/index.ts';
import { openTestEdge } from '../fixtures/edge.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { recordedLog } from '../fixtures/recorded-log.ts';

export const MAX_FRAME_BYTES = 4_096;

export interface Answered {
  status: number;
  headers: Headers;
  json: Record<string, unknown>;
}

/** A server that takes frames by HTTP alone, with a journal and a registry of its own. */
export class PostedTo {
  readonly journal: LocalJournal;
  readonly registry: Registry;
  readonly hub: IngestHub;
  /** Defects: there are to be none. */
  readonly errors: unknown[] = [];
  port = 0;
  readonly #net: NetServer;
  readonly #folder: ReturnType<typeof temporaryFolder>;

  private constructor(
    folder: ReturnType<typeof temporaryFolder>,
    registry: Registry,
    journal: LocalJournal,
    net: NetServer,
  ) {
    this.#folder = folder;
    this.registry = registry;
    this.journal = journal;
    this.#net = net;
    this.hub = new IngestHub({
      journal,
      registry,
      limits: { maxFrameBytes: MAX_FRAME_BYTES, maxUnacked: 8, maxUnackedBytes: 65_536 },
      directory: new DeviceDirectory(journal, 10),
      authorize: () => {},
      origins: ['http://page.test'],
      clock: systemClock,
      guard: { earliestMs: 0 },
      log: new DeviceLog(recordedLog().logger),
      onAck: () => {},
      onError: (error) => this.errors.push(error),
    });
    this.hub.open(openHttp, net);
  }

  static async open(edge: EdgeKind): Promise<PostedTo> {
    const folder = temporaryFolder();
    const registry = await openRegistry({ dir: `${folder.path}/registry`, minTimeMs: 0 });
    await loadSchemaFolder(registry, 'schemas');
    const journal = await openLocalJournal({ dir: `${folder.path}/journal` });
    const errors: unknown[] = [];
    const net = await openTestEdge((error) => errors.push(error), { edge });
    const made = new PostedTo(folder, registry, journal, net);
    made.port = await net.listen('127.0.0.1', 0);
    return made;
  }

  async close(): Promise<void> {
    this.#net.close();
    await this.hub.drain('test');
    await this.journal.close();
    await this.registry.close();
    this.#folder.remove();
  }

  /** Sends a body; of `headers` the device's is there already. */
  async post(
    body: string | Uint8Array | ReadableStream,
    headers: Record<string, string> = {},
    query = '',
  ): Promise<Answered> {
    const response = await fetch(`http://127.0.0.1:${this.port}/v1/frames${query}`, {
      method: 'POST',
      headers: { 'Content-Type': 'avro/binary', ...(query === '' ? { 'X-Device': 'a' } : {}), ...headers },
      body,
      ...(body instanceof ReadableStream ? { duplex: 'half' as const } : {}),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      json: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  }
}
