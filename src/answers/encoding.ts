import * as zlib from 'node:zlib';
import { LIMITS } from '../core/index.ts';

/** How the bytes of an answer are coded (RFC 9110, 8.4). */
export type Encoding = 'identity' | 'gzip' | 'zstd';

/** Those that this runtime has, in the order of preference: zstd came into Node's zlib late. */
export const ENCODINGS: readonly Encoding[] =
  typeof zlib.createZstdCompress === 'function' ? ['zstd', 'gzip', 'identity'] : ['gzip', 'identity'];

/** Codes the bytes of one answer. What comes out of a call belongs to this or to earlier ones. */
export interface BodyEncoder {
  write(bytes: Buffer): Promise<readonly Buffer[]>;
  end(): Promise<readonly Buffer[]>;
  /** Frees what it holds; may be called at any time. */
  close(): void;
}

export function openEncoder(encoding: Encoding): BodyEncoder {
  const chunkSize = LIMITS.answerPieceBytes;
  switch (encoding) {
    case 'identity':
      return { write: (bytes) => Promise.resolve([bytes]), end: () => Promise.resolve([]), close: () => {} };
    case 'gzip':
      return new ZlibEncoder(zlib.createGzip({ level: LIMITS.gzipLevel, chunkSize }));
    case 'zstd':
      return new ZlibEncoder(zlib.createZstdCompress({ chunkSize }));
  }
}

/** The work is done on libuv's threads. */
class ZlibEncoder implements BodyEncoder {
  readonly #stream: zlib.Gzip | zlib.ZstdCompress;
  #out: Buffer[] = [];

  constructor(stream: zlib.Gzip | zlib.ZstdCompress) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => this.#out.push(chunk));
    // Each call tells its own failure.
    stream.on('error', () => {});
  }

  async write(bytes: Buffer): Promise<readonly Buffer[]> {
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
    return this.#take();
  }

  async end(): Promise<readonly Buffer[]> {
    await new Promise<void>((resolve, reject) => {
      this.#stream.once('end', resolve);
      this.#stream.once('close', () => reject(new Error('the encoder was closed')));
      this.#stream.end();
    });
    return this.#take();
  }

  close(): void {
    this.#stream.destroy();
  }

  #take(): readonly Buffer[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }
}
