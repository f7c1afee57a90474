import { LIMITS, NS_PER_MS, encodeCursor, type AnswerColumn, type Cell } from '../../core/index.ts';
import type { HttpAnswer, HttpExchange } from '../../net/index.ts';
import type { Answer, RowKey } from '../../store/index.ts';
import type { ApiContext } from '../context.ts';
import { FORMS, type AnswerForm } from '../forms/index.ts';
import { negotiate } from '../negotiate.ts';
import { bindingOf, decodeRowsPage, encodeRowsPage, type RowsPage } from '../page-cursor.ts';
import { readPage, type Page } from '../page.ts';
import { planQuery, queryInput, timeRange, type QueryPlan, type QueryInput } from '../plan.ts';
import { Reading } from '../reading.ts';
import { defineRoute, type Route } from '../route.ts';
import { pageAnswer, rowsOutputs, streamAnswer } from '../rows-answer.ts';

/** History: raw rows, or aggregates by time bucket and group. */
export function queryRoutes(context: ApiContext): Route[] {
  const definition = {
    path: '/v1/query',
    input: queryInput,
    output: rowsOutputs,
    problems: [400, 404, 406, 414, 503],
    commaSeparated: ['fn', 'group'],
    handler: (input: QueryInput, exchange: HttpExchange) => answerQuery(context, input, exchange),
  };
  return [
    defineRoute({
      ...definition,
      method: 'GET',
      summary: 'Read history: raw rows, or aggregates by time and group',
    }),
    defineRoute({ ...definition, method: 'POST', summary: 'Read history, with the parameters as JSON' }),
  ];
}

async function answerQuery(
  context: ApiContext,
  input: QueryInput,
  exchange: HttpExchange,
): Promise<HttpAnswer> {
  const form: AnswerForm = FORMS[negotiate(input.format, exchange.header('accept'))];
  const { limit: _limit, cursor: _cursor, format: _format, ...bound } = input;
  const binding = bindingOf(bound);
  const page = input.cursor === undefined ? null : decodeRowsPage(binding, input.cursor);
  const plan = planQuery(
    context.registry,
    input,
    page ?? timeRange(input, BigInt(context.clock.nowMs()) * NS_PER_MS),
  );
  const limit = input.limit ?? form.defaultRows;
  // Taken before the store is asked: all frames before it are stored, so a tail from here misses none.
  const settled = context.journal.settledPosition();
  const reading = await Reading.open(context, exchange.signal, (signal) =>
    ask(context, plan, page, limit, signal),
  );
  const writer = form.open({ measurement: input.measurement, columns: reading.columns });
  const tailAt = (position: number): string =>
    page?.tail ?? encodeCursor({ epoch: context.journal.epoch, position, history: null });
  if (limit === null) {
    const { exact, position } = reading.view();
    return streamAnswer(form, writer, reading, tailAt(exact ? position : settled));
  }

  const { parts, more, end } = await readPage(reading, writer, { limit });
  // A store that is not exact may have shown rows of frames behind this position. A tail from here gives
  // them again; it never leaves one out.
  const tail = tailAt(reading.view().position);
  const cursor =
    more && end !== null ? encodeRowsPage(binding, nextPage(plan, reading.columns, page, end, tail)) : null;
  return pageAnswer(form, writer, parts, { cursor, tail });
}

/** One row more than the page has tells whether there are more. */
function ask(
  { store }: ApiContext,
  plan: QueryPlan,
  page: RowsPage | null,
  limit: number | null,
  signal: AbortSignal,
): Promise<Answer> {
  const continued = { limit: limit === null ? null : limit + 1, after: page };
  if (plan.kind === 'rows') return store.rows({ ...plan.query, ...continued }, signal);
  const { query } = plan;
  if (page === null) return store.aggregate({ ...query, ...continued }, signal);
  // Buckets depend on nothing outside of them: those that were given whole need not be asked for again.
  const { timeNs } = page;
  const fromNs = query.order === 'asc' && timeNs > query.fromNs ? timeNs : query.fromNs;
  const endNs = query.everyNs === null ? query.toNs : timeNs + query.everyNs;
  const toNs = query.order === 'desc' && endNs < query.toNs ? endNs : query.toNs;
  return store.aggregate({ ...query, ...continued, fromNs, toNs }, signal);
}

function nextPage(
  plan: QueryPlan,
  columns: readonly AnswerColumn[],
  page: RowsPage | null,
  end: NonNullable<Page['end']>,
  tail: string,
): RowsPage {
  const before = page !== null && page.timeNs === end.timeNs ? page.skip : 0;
  const { fromNs, toNs } = plan.query;
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
