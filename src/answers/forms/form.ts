import type { z } from 'zod';
import type { ANSWER_FORMS, AnswerBatch, AnswerColumn } from '../../core/index.ts';

/** A piece of a body. */
export type BodyPart = string | Uint8Array;

/** How an answer of rows is written in one form, whole or as a stream: all parts in their order are the body. */
export interface AnswerForm<Written extends BodyPart = BodyPart> {
  /** As Accept headers name it. */
  mediaType: string;
  /** The media type with its parameters. */
  contentType: string;
  /** What the body is for programs that read JSON; null for any other text or bytes. */
  schema: z.ZodType | null;
  /** Rows of an answer where no limit is asked; null for all of them, as a stream. */
  defaultRows: number | null;
  /** Where the cursor and the tail travel. */
  cursorsIn: 'body' | 'headers';
  /** Begins an answer. */
  open(answer: AnswerHead): AnswerWriter<Written>;
}

/** What is known of an answer before its rows. */
export interface AnswerHead {
  measurement: string;
  columns: readonly AnswerColumn[];
}

/** What is known of an answer behind its rows. */
export interface AnswerFoot {
  /** Where the next page begins; null when there is none. */
  cursor: string | null;
  /** Where a live tail goes on from what the answer saw. */
  tail: string;
}

/** Writes one answer: its head, then batches of rows in their order, then its foot. */
export interface AnswerWriter<Written extends BodyPart = BodyPart> {
  head(): Written;
  /**
   * Writes the first `count` rows of a batch, which has at least as many. It ends before that as soon as the part has
   * come to `maxLength` characters or bytes, but writes at least one row.
   */
  rows(batch: AnswerBatch, count: number, maxLength: number): { part: Written; rows: number };
  foot(foot: AnswerFoot): Written;
}

/** The form that a name of the contract must have: of texts, or of bytes. */
export type FormOf<Name extends keyof typeof ANSWER_FORMS> = AnswerForm<
  (typeof ANSWER_FORMS)[Name] extends 'text' ? string : Uint8Array
>;
