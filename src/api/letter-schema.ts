import { z } from 'zod';
import { confluentIdAt, framingOf } from '../codec/index.ts';
import type { Registry } from '../registry/index.ts';

type LetterRegistry = Pick<Registry, 'resolve' | 'subjects' | 'versions'>;

export const letterSchemaOutput = z.object({
  fingerprint: z.string().nullable().describe('16 hex digits'),
  id: z.int().nullable(),
  subject: z.string().nullable().describe('Null while no such schema is registered'),
  version: z.int().nullable(),
});
type LetterSchema = z.infer<typeof letterSchemaOutput>;

/** The writer's schema of refused frames: what the frame itself says, and what the registry knows of it by now. */
export class LetterSchemas {
  readonly #registry: LetterRegistry;
  #versions: Map<number, { subject: string; version: number }> | null = null;

  constructor(registry: LetterRegistry) {
    this.#registry = registry;
  }

  /** Null for bytes that do not begin as a frame. */
  of(bytes: Uint8Array): LetterSchema | null {
    try {
      const { schema } = this.#registry.resolve(bytes, 0, bytes.length);
      const { subject = null, version = null } = this.#version(schema.id) ?? {};
      return { fingerprint: schema.compiled.fingerprint, id: schema.id, subject, version };
    } catch {
      return named(bytes);
    }
  }

  /** The newest version of any subject that has the schema. */
  #version(id: number): { subject: string; version: number } | undefined {
    if (this.#versions === null) {
      this.#versions = new Map();
      for (const subject of this.#registry.subjects()) {
        for (const { id: each, version } of this.#registry.versions(subject)) {
          this.#versions.set(each, { subject, version });
        }
      }
    }
    return this.#versions.get(id);
  }
}

function named(bytes: Uint8Array): LetterSchema | null {
  try {
    const unknown = { fingerprint: null, id: null, subject: null, version: null };
    if (framingOf(bytes, 0, bytes.length) === 'confluent') return { ...unknown, id: confluentIdAt(bytes, 0) };
    return { ...unknown, fingerprint: Buffer.from(bytes.slice(2, 10)).reverse().toString('hex') };
  } catch {
    return null;
  }
}
