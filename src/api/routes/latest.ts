import { z } from 'zod';
import { LIMITS, selectColumns } from '../../core/index.ts';
import type { HttpAnswer, HttpExchange } from '../../net/index.ts';
import { choose, selectionInput } from '../../registry/index.ts';
import type { ApiContext } from '../context.ts';
import { negotiate } from '../negotiate.ts';
import { formatInput } from '../plan.ts';
import { defineRoute, type Route } from '../route.ts';
import { answerRows, rowsOutputs } from '../rows-answer.ts';

/** The newest of each device. */
export function latestRoutes(context: ApiContext): Route[] {
  const definition = {
    path: '/v1/latest',
    input,
    output: rowsOutputs,
    problems: [400, 404, 406, 414, 503],
    handler: (asked: z.infer<typeof input>, exchange: HttpExchange) => answerLatest(context, asked, exchange),
  };
  const summary = 'Read one row per device: its newest time and the newest value of each field';
  return [
    defineRoute({ ...definition, method: 'GET', summary }),
    defineRoute({ ...definition, method: 'POST', summary: `${summary}; with the parameters as JSON` }),
  ];
}

const input = z.object({ ...selectionInput, format: formatInput });

function answerLatest(
  context: ApiContext,
  asked: z.infer<typeof input>,
  exchange: HttpExchange,
): Promise<HttpAnswer> {
  const form = negotiate(asked.format, exchange.header('accept'));
  const chosen = choose(context.registry, asked);
  const selected = selectColumns(chosen.measurement, asked.field ?? []);
  const query = { ...chosen, fields: selected.fields.map((field) => field.name) };
  return answerRows(context, exchange, {
    plan: { kind: 'latest', query },
    pages: null,
    form,
    limit: LIMITS.queryMaxRows,
  });
}
