import type { KnownTime, Transport, UnnumberedTransport } from '../../core/index.ts';
import type { Settings } from '../../config/index.ts';
import type { DeviceIdentity, Numbers } from '../../ingest/index.ts';
import type { RejectedFrame, JournalStats } from '../../journal/index.ts';
import type { RegistryContents, SubjectVersion } from '../../registry/index.ts';
import type { ProcessUsage } from '../child-process/index.ts';

/** What an ingest process has to know to begin. */
export interface IngestSetup {
  settings: Settings;
  /** The port that all of them share. */
  port: number;
  /** Port of the server's own listener on loopback, to which everything but frames is passed on. */
  serverPort: number;
  epoch: string;
  condition: IngestCondition;
  /** The server's time for ages. */
  time: KnownTime;
  schemas: RegistryContents;
}

/** What decides whether a device may connect, and be acknowledged: as JournalStats and the directory have it. */
export interface IngestCondition {
  state: JournalStats['state'];
  accepting: boolean;
  /** Whether one more connection may come. */
  room: boolean;
}

/** How long acks took: [milliseconds, how many]. */
export type AckWaits = [ms: number, acks: number][];

/** What an ingest process answers. Connections bear numbers that it gave them. */
export interface IngestCalls {
  /** Opens the port; resolves when devices can connect. The first call. */
  start(setup: IngestSetup): Promise<void>;
  condition(condition: IngestCondition): void;
  registered(version: SubjectVersion, text: string): void;
  /** A newer connection of the device took over. */
  replaced(connection: number): void;
  /** What was in flight will not be acknowledged. */
  failed(connection: number): void;
  /** A sign of life, with what the process has taken of the machine. */
  alive(): ProcessUsage;
  /** Takes no new connections, has what came made durable and acknowledged, and ends the devices' connections. */
  drain(reason: string): Promise<void>;
  /** Lets what is asked be answered, for so long at most, and ends what is left; the process ends afterwards. */
  close(graceMs: number): Promise<void>;
}

/** What the server answers to an ingest process. */
export interface IngestHostCalls {
  claim(connection: number, transport: Transport, who: DeviceIdentity): Promise<Numbers | null>;
  /** Frames without numbers come, under a number as those of a connection; nobody takes a seat for them. */
  request(connection: number, transport: UnnumberedTransport, device: string): void;
  release(connection: number): void;
  reject(connection: number, seq: number, letter: RejectedFrame): void;
  /** Resolves when everything that was sent before is on disk. */
  flush(): Promise<void>;
  acknowledged(waits: AckWaits): void;
}
