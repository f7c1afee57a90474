import type { AnswerFacts, AnswerPiece, AnswerRequest, ReadCounts } from '../../answers/index.ts';
import type { AnswerBatch, AnswerColumn, ByTransport, KnownTime } from '../../core/index.ts';
import type { Settings } from '../../config/index.ts';
import type { JournalState, Settlement } from '../../journal/index.ts';
import type { RegistryContents, SubjectVersion } from '../../registry/index.ts';
import type {
  AggregateQuery,
  DeviceQuery,
  DevicesQuery,
  RowsQuery,
  Selection,
  StoredDevice,
  StoreState,
  View,
} from '../../store/index.ts';
import type { AuditStatus, Suspects, WriteAttempt, WriterStatus } from '../../writer/index.ts';
import type { ProcessUsage } from '../child-process/index.ts';
import type { PlainError } from '../process-calls.ts';

/** What a writer process has to know to begin. */
export interface WriterSetup {
  settings: Settings;
  /** Path of the data folder. */
  dir: string;
  epoch: string;
  state: JournalState;
  schemas: RegistryContents;
  /** The server's time for ages. */
  time: KnownTime;
  suspects: Suspects | null;
}

/** How the writer process is, sent whenever it changes. */
export interface WriterReport {
  writer: WriterStatus;
  audit: AuditStatus;
  store: StoreState;
  reads: ReadCounts;
}

/** A read of the store, as the store's interface has it. */
export type ReadRequest =
  | { kind: 'rows'; query: RowsQuery }
  | { kind: 'aggregate'; query: AggregateQuery }
  | { kind: 'latest'; query: Pick<Selection, 'measurement' | 'fields' | 'devices' | 'tags'> };

/** Some rows of an answer, null behind the last ones, and the answer's view as it is known with them. */
export interface ReadPage {
  batch: AnswerBatch | null;
  view: View;
}

export interface OpenedRead extends ReadPage {
  columns: readonly AnswerColumn[];
}

/** An answer whose first bytes are made. */
export interface OpenedAnswer {
  facts: AnswerFacts;
  first: AnswerPiece;
}

/** What the writer process answers. Reads bear a number that the asker chose. */
export interface WriterCalls {
  /** Opens the store and starts the writer; resolves when both run. The first call. */
  start(setup: WriterSetup): Promise<void>;
  /** The journal's state on disk; resolves when it was taken in, so that one is under way at a time. */
  committed(state: JournalState): void;
  registered(version: SubjectVersion, text: string): void;
  openRead(id: number, request: ReadRequest): Promise<OpenedRead>;
  nextPage(id: number): Promise<ReadPage>;
  /** Answers are made here; only pieces of their bytes are taken over, as fast as their reader takes them. */
  openAnswer(id: number, request: AnswerRequest): Promise<OpenedAnswer>;
  nextPiece(id: number): Promise<AnswerPiece>;
  devices(id: number, query: DevicesQuery): Promise<StoredDevice[]>;
  device(id: number, query: DeviceQuery): Promise<StoredDevice | null>;
  /** Ends a read or an answer wherever it is. */
  endRead(id: number, reason: PlainError | null): void;
  /**
   * A sign of life: how long the running call of the store's writing half has taken, in milliseconds (0 when none runs),
   * and what the process has taken of the machine.
   */
  alive(): { busyMs: number; usage: ProcessUsage };
  /** Writes what the journal holds, for so long at most. */
  drain(graceMs: number): Promise<void>;
  /** Closes the store; the process ends afterwards. */
  close(): Promise<void>;
}

/** What the server answers to its writer process. */
export interface WriterHostCalls {
  settle(settlement: Settlement): Promise<JournalState>;
  report(report: WriterReport): void;
  /** Which frames the store is handed; null when it has answered. */
  attempt(attempt: WriteAttempt | null): void;
  wrote(ms: number): void;
  failed(kind: string): void;
  retried(): void;
  expired(readings: Readonly<ByTransport>, limit: 'bytes' | 'age'): void;
}
