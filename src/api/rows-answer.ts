import {
  FORMS,
  type AnswerForm,
  type AnswerFacts,
  type AnswerRequest,
  type OpenAnswer,
} from '../answers/index.ts';
import { ANSWER_FORMS, FORM_NAMES } from '../core/index.ts';
import type { HttpAnswer, HttpExchange } from '../net/index.ts';
import type { ApiContext } from './context.ts';
import { negotiateEncoding } from './negotiate.ts';
import type { Outputs } from './route.ts';

/** What an answer of rows is, in each form. */
export const rowsOutputs: Outputs = Object.fromEntries(
  FORM_NAMES.map((name) => [FORMS[name].mediaType, FORMS[name].schema ?? ANSWER_FORMS[name]]),
);

/** What a route asks for. */
export interface RowsRequest extends Pick<AnswerRequest, 'plan' | 'pages' | 'form'> {
  /** Rows at most; undefined for what the form has by default. */
  limit: number | undefined;
}

/** Has rows answered where the store is, and passes their bytes on as fast as the reader takes them. */
export async function answerRows(
  { answers, journal, queryTimeoutMs }: ApiContext,
  exchange: HttpExchange,
  { limit, ...asked }: RowsRequest,
): Promise<HttpAnswer> {
  const { form } = asked;
  const encoding = negotiateEncoding(exchange.header('accept-encoding'));
  const request: AnswerRequest = {
    ...asked,
    encoding,
    limit: limit ?? FORMS[form].defaultRows,
    // Taken before the store is asked: all frames before it are stored, so a tail from here misses none.
    journal: { epoch: journal.epoch, settled: journal.settledPosition() },
    timeoutMs: queryTimeoutMs,
  };
  const answer = await answers.open(request, exchange.signal);
  const headers = headersOf(FORMS[form], answer.facts);
  // A POST has no cache between.
  if (exchange.method === 'POST') delete headers['ETag'];
  if (encoding !== 'identity') headers['Content-Encoding'] = encoding;
  // What is tagged is whole: where it fits one piece its length is told, too.
  const isWhole = answer.first.last && answer.facts.etag !== null;
  return { status: 200, headers, body: isWhole ? answer.first.bytes : piecesOf(answer) };
}

function piecesOf(answer: OpenAnswer): AsyncIterable<Uint8Array> {
  let first: OpenAnswer['first'] | null = answer.first;
  let ended = false;
  const iterator: AsyncIterator<Uint8Array> = {
    async next() {
      if (ended) return { done: true, value: undefined };
      const piece = first ?? (await answer.next());
      first = null;
      ended = piece.last;
      return { done: false, value: piece.bytes };
    },
    async return() {
      ended = true;
      first = null;
      await answer.close();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

/** What does not travel in the body does so in headers. */
function headersOf(form: AnswerForm, { etag, cursor, tail }: AnswerFacts): Record<string, string> {
  return {
    'Content-Type': form.contentType,
    Vary: 'Accept, Accept-Encoding',
    ...(etag === null ? {} : { ETag: etag }),
    ...(form.cursorsIn === 'body' ? {} : { 'Millrace-Tail': tail }),
    ...(form.cursorsIn === 'body' || cursor === null ? {} : { 'Millrace-Cursor': cursor }),
  };
}
