import { LIMITS, NS_PER_MS, encodeCursor, type Cell } from '../../core/index.ts';
import type { HttpAnswer, HttpExchange } from '../../net/index.ts';
import type { Answer, RowKey } from '../../store/index.ts';
import type { ApiContext } from '../context.ts';
import { negotiate } from '../negotiate.ts';
import { bindingOf, decodeRowsPage, encodeRowsPage, type RowsPage } from '../page-cursor.ts';
import { readPage, type Page } from '../page.ts';
import { planQuery, queryInput, timeRange, type QueryPlan, type QueryInput } from '../plan.ts';
import { Reading } from '../reading.ts';
import { defineRoute, type Route } from '../route.ts';
import { csvAnswer, csvStream, jsonAnswer, rowsOutputs } from '../rows-answer.ts';
import { csvRowWriter, describeColumns, jsonRowWriter } from '../rows-text.ts';

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
  const form = negotiate(input.format, exchange.header('accept'));
  const { limit: _limit, cursor: _cursor, format: _format, ...bound } = input;
  const binding = bindingOf(bound);
  const page = input.cursor === undefined ? null : decodeRowsPage(binding, input.cursor);
  const plan = planQuery(
    context.registry,
    input,
    page ?? timeRange(input, BigInt(context.clock.nowMs()) * NS_PER_MS),
  );
  const limit = input.limit ?? (form === 'json' ? LIMITS.queryDefaultRows : null);
  // Taken before the store is asked: all frames before it are stored, so a tail from here misses none.
  const settled = context.journal.settledPosition();
  const reading = await Reading.open(context, exchange.signal, (signal) =>
    ask(context, plan, page, limit, signal),
  );
  const columns = describeColumns(reading.columns, plan.columns);
  const tailAt = (position: number): string =>
    page?.tail ?? encodeCursor({ epoch: context.journal.epoch, position, history: null });
  if (limit === null) {
    return csvStream(reading, columns, (view) => tailAt(view.exact ? view.position : settled));
  }

  const write = form === 'json' ? jsonRowWriter(columns) : csvRowWriter(columns);
  const { rows, more, end } = await readPage(reading, write, { limit });
  // A store that is not exact may have shown rows of frames behind this position. A tail from here gives
  // them again; it never leaves one out.
  const tail = tailAt(reading.view().position);
  const cursor = more && end !== null ? encodeRowsPage(binding, nextPage(plan, page, end, tail)) : null;
  return form === 'json'
    ? jsonAnswer({ measurement: input.measurement, columns, rows, cursor, tail })
    : csvAnswer({ columns, rows, cursor, tail });
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
  page: RowsPage | null,
  end: NonNullable<Page['end']>,
  tail: string,
): RowsPage {
  const before = page !== null && page.timeNs === end.timeNs ? page.skip : 0;
  const { fromNs, toNs } = plan.query;
  const key = keyOf(
    plan.kind === 'rows'
      ? ['device', ...plan.query.measurement.tags.map(({ name }) => name)]
      : plan.query.group,
    end.row,
  );
  return { fromNs, toNs, timeNs: end.timeNs, skip: before + end.count, tail, key };
}

/** Rows that come late at a page's last time shift a count of them, and do nothing to a key. Null for a long one. */
function keyOf(names: readonly string[], row: readonly Cell[]): RowKey | null {
  const key = names.map((name, i) => [name, textOf(row[i + 1])] as const);
  return JSON.stringify(key).length > LIMITS.cursorKeyChars ? null : key;
}

function textOf(cell: Cell | undefined): string | null {
  return typeof cell === 'string' ? cell : null;
}
