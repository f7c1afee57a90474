import type { FormName } from '../core/index.ts';
import type { AggregateQuery, RowsQuery, Selection } from '../store/index.ts';
import type { Encoding } from './encoding.ts';
import type { RowsPage } from './page-cursor.ts';

/** A checked query of history. */
export type QueryPlan =
  | { kind: 'rows'; query: Omit<RowsQuery, 'limit' | 'after'> }
  | { kind: 'aggregate'; query: Omit<AggregateQuery, 'limit' | 'after'> };

/** A checked query. */
export type AnswerPlan =
  QueryPlan | { kind: 'latest'; query: Pick<Selection, 'measurement' | 'fields' | 'devices' | 'tags'> };

/** What is to be answered, as plain data that can be sent to another process. */
export interface AnswerRequest {
  plan: AnswerPlan;
  form: FormName;
  encoding: Encoding;
  /** Rows at most, in an answer that is made whole; null for a stream of all rows. */
  limit: number | null;
  /** What its cursors belong to, and the page that it goes on from; null where all rows must fit one answer. */
  pages: { binding: string; from: RowsPage | null } | null;
  /** The journal's epoch, and the position up to which all frames were stored before the store is asked. */
  journal: { epoch: string; settled: number };
  /** Time that the query may cost the store, in milliseconds. */
  timeoutMs: number;
}

/** What is known of an answer before its bytes. */
export interface AnswerFacts {
  /** A strong entity tag of its rows in this form and encoding; null for a stream. */
  etag: string | null;
  /** Where the next page begins; null when there is none. */
  cursor: string | null;
  /** Where a live tail goes on from what the answer saw. */
  tail: string;
}

/** Some bytes of an answer: at most LIMITS.answerPieceBytes. */
export interface AnswerPiece {
  bytes: Uint8Array;
  /** Nothing follows, and nothing is held any more. */
  last: boolean;
}

/** An answer under way. It is freed by its last piece, by `close`, or by the signal that it was opened with. */
export interface OpenAnswer {
  facts: AnswerFacts;
  first: AnswerPiece;
  /** The next piece; one call at a time. Rejects with the store's errors, and with `slow_consumer` when it was cut. */
  next(): Promise<AnswerPiece>;
  close(): Promise<void>;
}

/** Where answers are made. */
export interface AnswerSource {
  /** Resolves when the head is known. Rejects with `query_timeout`, `too_many_queries` and the store's errors. */
  open(request: AnswerRequest, signal: AbortSignal): Promise<OpenAnswer>;
}
