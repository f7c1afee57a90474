import { bindingOf, decodeRowsPage } from '../../answers/index.ts';
import { NS_PER_MS } from '../../core/index.ts';
import type { HttpAnswer, HttpExchange } from '../../net/index.ts';
import type { ApiContext } from '../context.ts';
import { negotiate } from '../negotiate.ts';
import { planQuery, queryInput, timeRange, type QueryInput } from '../plan.ts';
import { defineRoute, type Route } from '../route.ts';
import { answerRows, rowsOutputs } from '../rows-answer.ts';

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
  const { limit, cursor, format, ...bound } = input;
  const form = negotiate(format, exchange.header('accept'));
  const binding = bindingOf(bound);
  const from = cursor === undefined ? null : decodeRowsPage(binding, cursor);
  const range = from ?? timeRange(input, BigInt(context.clock.nowMs()) * NS_PER_MS);
  const plan = planQuery(context.registry, input, range);
  return answerRows(context, exchange, { plan, pages: { binding, from }, form, limit });
}
