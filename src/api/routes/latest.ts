import { z } from 'zod';
import { LIMITS, MillraceError, encodeCursor, selectColumns } from '../../core/index.ts';
import type { ApiContext } from '../context.ts';
import { FORMS, type AnswerForm } from '../forms/index.ts';
import { negotiate } from '../negotiate.ts';
import { formatInput } from '../plan.ts';
import { choose, selectionInput } from '../../registry/index.ts';
import { readPage } from '../page.ts';
import { Reading } from '../reading.ts';
import { defineRoute, type Route } from '../route.ts';
import { pageAnswer, rowsOutputs } from '../rows-answer.ts';

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
      const form: AnswerForm = FORMS[negotiate(input.format, exchange.header('accept'))];
      const chosen = choose(context.registry, input);
      const selected = selectColumns(chosen.measurement, input.field ?? []);
      const selection = { ...chosen, fields: selected.fields.map((field) => field.name) };
      const reading = await Reading.open(context, exchange.signal, (signal) =>
        context.store.latest(selection, signal),
      );
      const writer = form.open({ measurement: input.measurement, columns: reading.columns });
      const { parts, more } = await readPage(reading, writer, { limit: LIMITS.queryMaxRows });
      if (more) {
        throw new MillraceError(
          'answer_too_large',
          'the newest rows of so many devices do not fit one answer',
        );
      }
      const { position } = reading.view();
      const tail = encodeCursor({ epoch: context.journal.epoch, position, history: null });
      return pageAnswer(form, writer, parts, { cursor: null, tail });
    },
  });
}
