import type { CompiledSchema } from '../codec/index.ts';
import type { Measurement } from '../core/index.ts';

/** A schema as the registry keeps it. Ids count from 1 and are never given twice. */
export interface RegisteredSchema {
  id: number;
  /** The JSON text as it was registered. */
  text: string;
  compiled: CompiledSchema;
}

/** Where a frame's body begins, and the schema that wrote it. */
export interface ResolvedFrame {
  schema: RegisteredSchema;
  bodyStart: number;
}

/** One version of a subject. A deleted one is hidden, but its id still resolves: data was written with it. */
export interface SubjectVersion {
  subject: string;
  /** Counts from 1 within the subject. */
  version: number;
  id: number;
  deleted: boolean;
}

export interface Registry {
  /**
   * Finds the writer's schema from a frame's first bytes (`bytes[start..end)`), single-object or Confluent.
   * Throws `frame_empty`, `frame_framing`, `frame_truncated` or `schema_unknown`.
   */
  resolve(bytes: Uint8Array, start: number, end: number): ResolvedFrame;
  byId(id: number): RegisteredSchema | undefined;
  /** Sorted by name. */
  measurements(): readonly Measurement[];
  measurement(name: string): Measurement | undefined;
  /** Names of subjects that have a version which is not deleted, sorted. */
  subjects(): readonly string[];
  /** All versions of a subject, deleted ones included, oldest first; empty for an unknown one. */
  versions(subject: string): readonly SubjectVersion[];
  /**
   * Registers a schema under a subject, durably; the same text again is no new version (spaces and line
   * breaks apart). Throws `schema_invalid`, `schema_unmappable`, `schema_conflict`, `registry_full` or `data_dir_gone`.
   */
  register(subject: string, text: string): Promise<{ id: number; version: number }>;
  /**
   * Called after every registration that changed something, with the new version; the registration's answer waits for
   * what it returns, and never fails by it. Returns the way to stop it.
   */
  onChange(listener: (version: SubjectVersion) => unknown): () => void;
  /** All that is registered, for a copy in another process. */
  contents(): RegistryContents;
  /** Throws `data_dir_gone` when its files are not the ones any more that the next start will find. */
  look(): void;
  close(): Promise<void>;
}

/** What a registry holds: every version, in order of id, and the schemas that they name. */
export interface RegistryContents {
  schemas: readonly { id: number; text: string }[];
  versions: readonly SubjectVersion[];
}
