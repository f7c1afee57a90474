import { createHash } from 'node:crypto';
import {
  LIMITS,
  MillraceError,
  Slice,
  encodeCursor,
  rowsFrom,
  type AnswerBatch,
  type AnswerColumn,
  type Cell,
  type Places,
} from '../core/index.ts';
import type { Answer, RowKey } from '../store/index.ts';
import { AnswerBody } from './body.ts';
import { openEncoder, type BodyEncoder } from './encoding.ts';
import { FORMS, type AnswerWriter, type BodyPart } from './forms/index.ts';
import type { HeldAnswers } from './held-answers.ts';
import { readPage, type Page } from './page.ts';
import { encodeRowsPage, type RowsPage } from './page-cursor.ts';
import type { OpenPlace } from './read-places.ts';
import { Reading } from './reading.ts';
import type { AnswerFacts, AnswerPiece, AnswerRequest, OpenAnswer } from './request.ts';

/** One answer on its way from the store to pieces of bytes. Its signal ends it wherever it is. */
export class AnswerInMaking {
  readonly #request: AnswerRequest;
  readonly #place: OpenPlace;
  readonly #signal: AbortSignal;
  readonly #body: AnswerBody;
  readonly #encoder: BodyEncoder;
  /** Writing gives way to whatever else this process does. */
  readonly #slice = new Slice();
  #reading: Reading | null = null;
  #writer: AnswerWriter | null = null;
  /** Of a stream: rows that are read and not written yet. */
  #rows: AnswerBatch | null = null;
  #foot: { cursor: string | null; tail: string } | null = null;
  #ended = false;
  #closed: Promise<void> | null = null;

  constructor(request: AnswerRequest, place: OpenPlace, held: HeldAnswers, signal: AbortSignal) {
    this.#request = request;
    this.#place = place;
    this.#signal = signal;
    this.#body = new AnswerBody(held);
    this.#encoder = openEncoder(request.encoding);
    signal.addEventListener('abort', () => void this.close(), { once: true });
  }

  /** Resolves when the head is known: of a page with all of its bytes made, of a stream with its first rows. */
  async open(work: Places, start: (signal: AbortSignal) => Promise<Answer>): Promise<OpenAnswer> {
    try {
      const { timeoutMs, limit, plan, form } = this.#request;
      const reading = await Reading.open({ timeoutMs, work }, this.#signal, start);
      const { columns } = reading;
      const writer = FORMS[form].open({ measurement: plan.query.measurement.name, columns });
      this.#reading = reading;
      this.#writer = writer;
      const facts = limit === null ? await this.#stream() : await this.#page(reading, writer, limit);
      const first = await this.next();
      return { facts, first, next: () => this.next(), close: () => this.close() };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async next(): Promise<AnswerPiece> {
    this.#place.working();
    try {
      this.#signal.throwIfAborted();
      while (this.#body.empty && !this.#ended) await this.#writeMore();
      const bytes = this.#body.take();
      const last = this.#ended && this.#body.empty;
      if (last) await this.close();
      else this.#place.parked();
      return { bytes, last };
    } catch (error) {
      await this.close();
      throw this.#signal.aborted ? stopped(this.#signal.reason) : error;
    }
  }

  /** Frees everything; may be called at any time and more than once. */
  close(): Promise<void> {
    this.#closed ??= this.#free();
    return this.#closed;
  }

  async #free(): Promise<void> {
    this.#ended = true;
    this.#rows = null;
    this.#body.free();
    this.#encoder.close();
    try {
      await this.#reading?.close();
    } finally {
      this.#place.leave();
    }
  }

  /** The tail comes before the rows: it is of what the store's view told at that moment. */
  async #stream(): Promise<AnswerFacts> {
    const { exact, position } = this.#view();
    const foot = { cursor: null, tail: this.#tailAt(exact ? position : this.#request.journal.settled) };
    this.#foot = foot;
    await this.#write(this.#writer?.head() ?? '');
    // A store that fails at once is answered as a problem.
    await this.#writeMore();
    return { etag: null, ...foot };
  }

  async #page(reading: Reading, writer: AnswerWriter, limit: number): Promise<AnswerFacts> {
    const { form, encoding, pages, plan } = this.#request;
    const hash = createHash('sha256').update(form);
    const head = Buffer.from(writer.head());
    hash.update(head);
    await this.#write(head);
    const page = await readPage(reading, writer, { limit }, async (rows) => {
      hash.update(rows);
      await this.#write(rows);
    });
    this.#signal.throwIfAborted();
    if (page.more && pages === null) {
      throw new MillraceError('answer_too_large', 'the newest rows of so many devices do not fit one answer');
    }
    // A store that is not exact may have shown rows of frames behind this position. A tail from here gives
    // them again; it never leaves one out.
    const tail = this.#tailAt(this.#view().position);
    const cursor =
      page.more && page.end !== null && pages !== null && plan.kind !== 'latest'
        ? encodeRowsPage(pages.binding, nextPage(plan.query, reading.columns, pages.from, page.end, tail))
        : null;
    await this.#write(writer.foot({ cursor, tail }));
    await this.#end();
    this.#body.seal();
    // Of the rows alone: where the tail goes on changes with each frame, and says nothing of them.
    const digest = hash.update(String(page.more)).digest('base64url').slice(0, ETAG_CHARS);
    return { etag: encoding === 'identity' ? `"${digest}"` : `"${digest}-${encoding}"`, cursor, tail };
  }

  /** Writes some rows of a stream, or its end. */
  async #writeMore(): Promise<void> {
    const writer = this.#writer;
    let rows = this.#rows ?? (await this.#reading?.next()) ?? null;
    this.#signal.throwIfAborted();
    if (writer === null || this.#foot === null) throw new TypeError('the answer has not begun');
    if (rows === null) {
      await this.#write(writer.foot(this.#foot));
      await this.#end();
      return;
    }
    if (rows.rows > 0) {
      const { part, rows: written } = writer.rows(rows, rows.rows, LIMITS.answerSliceChars);
      await this.#write(part);
      rows = rowsFrom(rows, written);
    }
    this.#rows = rows.rows === 0 ? null : rows;
  }

  async #write(part: BodyPart): Promise<void> {
    const bytes = Buffer.isBuffer(part) ? part : Buffer.from(part);
    if (bytes.length > 0) await this.#body.add(await this.#encoder.write(bytes), this.#signal);
    await this.#slice.pause();
    this.#signal.throwIfAborted();
  }

  async #end(): Promise<void> {
    await this.#body.add(await this.#encoder.end(), this.#signal);
    this.#encoder.close();
    this.#ended = true;
  }

  #view(): ReturnType<Answer['view']> {
    if (this.#reading === null) throw new TypeError('the answer has not begun');
    return this.#reading.view();
  }

  #tailAt(position: number): string {
    const { pages, journal } = this.#request;
    return pages?.from?.tail ?? encodeCursor({ epoch: journal.epoch, position, history: null });
  }
}

/** What a reader is told whose answer was stopped. */
export function stopped(reason: unknown): MillraceError {
  if (reason instanceof MillraceError) return reason;
  return new MillraceError('query_timeout', 'the query was stopped before its end', { cause: reason });
}

/** Characters of an entity tag's digest: 160 bits, as equal tags must mean equal rows. */
const ETAG_CHARS = 27;

function nextPage(
  { fromNs, toNs }: { fromNs: bigint; toNs: bigint },
  columns: readonly AnswerColumn[],
  page: RowsPage | null,
  end: NonNullable<Page['end']>,
  tail: string,
): RowsPage {
  const before = page !== null && page.timeNs === end.timeNs ? page.skip : 0;
  return { fromNs, toNs, timeNs: end.timeNs, skip: before + end.count, tail, key: keyOf(columns, end.row) };
}

/** Rows that come late at a page's last time shift a count of them, and do nothing to a key. Null for a long one. */
function keyOf(columns: readonly AnswerColumn[], row: readonly Cell[]): RowKey | null {
  const key = columns.flatMap(({ name, role }, i) =>
    role === 'tag' ? [[name, textOf(row[i])] as const] : [],
  );
  return JSON.stringify(key).length > LIMITS.cursorKeyChars ? null : key;
}

function textOf(cell: Cell | undefined): string | null {
  return typeof cell === 'string' ? cell : null;
}
