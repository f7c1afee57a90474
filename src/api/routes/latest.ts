import { z } from 'zod';
import { LIMITS, selectColumns } from '../../core/index.ts';
import { choose, selectionInput } from '../../registry/index.ts';
import type { ApiContext } from '../context.ts';
import { negotiate } from '../negotiate.ts';
import { formatInput } from '../plan.ts';
import { defineRoute, type Route } from '../route.ts';
import { answerRows, rowsOutputs } from '../rows-answer.ts';

/** The newest of each device. */
export function latestRoute(context: ApiContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/latest',
    summary: 'Read one row per device: its newest time and the newest value of each field',
    input: z.object({ ...selectionInput, format: formatInput }),
    output: rowsOutputs,
    problems: [400, 404, 406, 414, 503],
    async handler(input, exchange) {
      const form = negotiate(input.format, exchange.header('accept'));
      const chosen = choose(context.registry, input);
      const selected = selectColumns(chosen.measurement, input.field ?? []);
      const query = { ...chosen, fields: selected.fields.map((field) => field.name) };
      return answerRows(context, exchange, {
        plan: { kind: 'latest', query },
        pages: null,
        form,
        limit: LIMITS.queryMaxRows,
      });
    },
  });
}
