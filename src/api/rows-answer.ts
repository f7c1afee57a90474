import type { HttpAnswer } from '../net/index.ts';
import { ANSWER_FORMS, FORM_NAMES } from '../core/index.ts';
import { FORMS, type AnswerFoot, type AnswerForm, type AnswerWriter, type BodyPart } from './forms/index.ts';
import type { Reading } from './reading.ts';
import type { Outputs } from './route.ts';

/** What an answer of rows is, in each form. */
export const rowsOutputs: Outputs = Object.fromEntries(
  FORM_NAMES.map((name) => [FORMS[name].mediaType, FORMS[name].schema ?? ANSWER_FORMS[name]]),
);

/** A whole answer, of rows that are written already. */
export function pageAnswer(
  form: AnswerForm,
  writer: AnswerWriter,
  rows: readonly BodyPart[],
  foot: AnswerFoot,
): HttpAnswer {
  return {
    status: 200,
    headers: headersOf(form, foot),
    body: joined([writer.head(), ...rows, writer.foot(foot)]),
  };
}

/**
 * An answer of any size, written as it is read. The tail comes before the rows: it is of what the store's view told
 * at that moment.
 */
export async function streamAnswer(
  form: AnswerForm,
  writer: AnswerWriter,
  reading: Reading,
  tail: string,
): Promise<HttpAnswer> {
  const foot = { cursor: null, tail };
  let ended = false;
  const nextPart = async (): Promise<BodyPart | null> => {
    if (ended) return null;
    const batch = await reading.next();
    if (batch !== null) return batch.rows === 0 ? '' : writer.rows(batch, batch.rows, Infinity).part;
    ended = true;
    return writer.foot(foot);
  };
  // The first rows come before the head: a store that fails at once is answered as a problem.
  const rows = await nextPart();
  let first: BodyPart | null = joined([writer.head(), ...(rows === null ? [] : [rows])]);
  const iterator: AsyncIterator<BodyPart> = {
    async next() {
      let part = first ?? (await nextPart());
      first = null;
      while (part?.length === 0) part = await nextPart();
      return part === null ? { done: true, value: undefined } : { done: false, value: part };
    },
    async return() {
      await reading.close();
      return { done: true, value: undefined };
    },
  };
  return { status: 200, headers: headersOf(form, foot), body: { [Symbol.asyncIterator]: () => iterator } };
}

/** What does not travel in the body does so in headers. */
function headersOf(form: AnswerForm, { cursor, tail }: AnswerFoot): Record<string, string> {
  const headers = { 'Content-Type': form.contentType, Vary: 'Accept' };
  if (form.cursorsIn === 'body') return headers;
  return { ...headers, 'Millrace-Tail': tail, ...(cursor === null ? {} : { 'Millrace-Cursor': cursor }) };
}

function joined(parts: readonly BodyPart[]): BodyPart {
  if (parts.every((part) => typeof part === 'string')) return parts.join('');
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}
