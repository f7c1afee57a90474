import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import avsc from 'avsc';
import { encodeSingleObjectHeader, fingerprintOf } from '../../src/codec/index.ts';
import type { FrameRecord } from '../model.ts';

/** Encodes records of one schema as frames in single-object encoding. One is shared by a whole fleet. */
export class FrameEncoder {
  readonly #type: avsc.Type;
  readonly #header: Uint8Array;
  #scratch = Buffer.alloc(16 * 1024);

  constructor(schemaText: string) {
    this.#type = avsc.Type.forSchema(JSON.parse(schemaText) as avsc.Schema);
    this.#header = encodeSingleObjectHeader(fingerprintOf(schemaText));
  }

  /** A frame in memory of its own. Throws for a record that the schema does not describe. */
  encode(record: FrameRecord): Uint8Array {
    const start = this.#header.length;
    let end = this.#type.encode(record, this.#scratch, start);
    while (end < 0) {
      // avsc answers how much it lacked as a negative number.
      this.#scratch = Buffer.alloc((this.#scratch.length - end) * 2);
      end = this.#type.encode(record, this.#scratch, start);
    }
    this.#scratch.set(this.#header);
    return new Uint8Array(this.#scratch.subarray(0, end));
  }
}

/** The text of a shipped schema, wherever this file runs from: the sources or the build. */
export function shippedSchema(file: string): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const path = join(folder, 'schemas', file);
    if (existsSync(path)) return readFileSync(path, 'utf8');
    if (folder === dirname(folder)) throw new Error(`the package has no schemas/${file}`);
  }
}
