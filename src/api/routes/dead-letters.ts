import { z } from 'zod';
import { LIMITS, MillraceError, Slice, TRANSPORTS } from '../../core/index.ts';
import {
  findDeadLetter,
  matchesLetter,
  walkLetters,
  type DeadLetter,
  type LetterFilter,
} from '../../journal/index.ts';
import type { ApiContext } from '../context.ts';
import { LetterSchemas, letterSchemaOutput } from '../letter-schema.ts';
import { decodeKeyPage, encodeKeyPage } from '../../answers/index.ts';
import { defineRoute, json, type Route } from '../route.ts';

const transport = z.enum(TRANSPORTS);
const kind = z.enum(['rejected', 'deadLettered']);

const filters = {
  device: z.string().max(128).optional().describe('Only of this device'),
  code: z.string().max(64).optional().describe('Only with this error code'),
  kind: kind.optional(),
  transport: transport.optional(),
};

const letterOutput = z.object({
  id: z.string(),
  at: z.string().describe('The arrival, RFC 3339 in UTC'),
  device: z.string(),
  transport,
  kind: kind.describe('rejected: before the ack; deadLettered: by the store, after it'),
  schema: letterSchemaOutput.nullable().describe("The writer's schema; null where the frame names none"),
  code: z.string(),
  message: z.string(),
  readings: z.int().positive().describe('Readings that it stands for in the ledger'),
  seq: z.int().nullable().describe('Number of the frame on its connection; null where frames have none'),
  position: z.int().nullable().describe('Place in the journal of a frame that was acknowledged'),
  bytes: z.string().describe('The frame as it came, base64'),
});

/** Refused frames: list, show, try again. */
export function deadLetterRoutes(context: ApiContext): Route[] {
  return [listRoute(context), showRoute(context), replayRoute(context)];
}

function listRoute({ journal, registry }: ApiContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/dead-letters',
    summary: 'List refused frames, newest first',
    input: z.object({
      ...filters,
      limit: z.int().min(1).max(LIMITS.deadLettersMaxRows).default(LIMITS.deadLettersDefaultRows),
      cursor: z.string().max(2_048).optional().describe('Where the page before ended'),
    }),
    output: {
      'application/json': z.object({ deadLetters: z.array(letterOutput), cursor: z.string().nullable() }),
    },
    problems: [400],
    async handler({ limit, cursor, ...filter }) {
      const { device, code, kind: by, transport: way } = filter;
      const binding = `dead-letters ${JSON.stringify([device, code, by, way])}`;
      const before = cursor === undefined ? undefined : decodeKeyPage(binding, cursor);
      const { page, last } = await collect(journal, filter, limit, before);
      const schemas = new LetterSchemas(registry);
      return json({
        deadLetters: page.map((letter) => described(letter, schemas)),
        cursor: last === null ? null : encodeKeyPage(binding, last),
      });
    },
  });
}

/**
 * The next letters that match: as many as fit the page, out of a bounded number that are looked at, so a page may
 * be short, or empty, and not the last. `last` is the id that the next page begins behind; null at the end.
 */
async function collect(
  journal: ApiContext['journal'],
  filter: LetterFilter,
  limit: number,
  start: string | undefined,
): Promise<{ page: DeadLetter[]; last: string | null }> {
  const page: DeadLetter[] = [];
  let last = start ?? null;
  let looked = 0;
  let bytes = 0;
  const slice = new Slice();
  for (const letter of walkLetters(journal, start)) {
    if (looked++ === LIMITS.deadLettersScanned) return { page, last };
    if (matchesLetter(letter, filter)) {
      bytes += letter.bytes.byteLength;
      // Always one, or the list could not go on.
      const full = page.length === limit || (page.length > 0 && bytes > LIMITS.deadLettersPageBytes);
      if (full) return { page, last };
      page.push(letter);
    }
    last = letter.id;
    await slice.pause();
  }
  return { page, last: null };
}

function showRoute({ journal, registry }: ApiContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/dead-letters/{id}',
    summary: 'Read one refused frame',
    input: z.object({ id: z.string().max(20) }),
    output: { 'application/json': letterOutput },
    problems: [404],
    handler({ id }) {
      const letter = findDeadLetter(journal, id);
      if (letter === null) {
        throw new MillraceError('dead_letter_unknown', `there is no dead letter ${id}`);
      }
      return json(described(letter, new LetterSchemas(registry)));
    },
  });
}

function replayRoute({ replay }: ApiContext): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/dead-letters/replay',
    summary: 'Try refused frames again: those that pass by now become pending, the others stay',
    maxBodyBytes: LIMITS.maxJsonBodyBytes,
    input: z.object({
      ids: z
        .array(z.string().max(20))
        .max(LIMITS.maxReplayIds)
        .optional()
        .describe('Which; all that match where it is missing'),
      ...filters,
    }),
    output: {
      'application/json': z.object({
        replayed: z.int().nonnegative().describe('Back among the frames; a duplicate is counted so'),
        pending: z.int().nonnegative().describe('Of these, how many the store had no word on in time'),
        refused: z
          .array(z.object({ id: z.string(), code: z.string(), message: z.string() }))
          .describe(`At most ${LIMITS.maxReplayRefused} of those that are refused again`),
        refusedTotal: z.int().nonnegative(),
      }),
    },
    problems: [400, 415, 503],
    async handler({ ids, ...filter }) {
      if (ids !== undefined && Object.values(filter).some((value) => value !== undefined)) {
        throw new MillraceError('parameter_invalid', 'ids: name ids or filters, not both');
      }
      return json(await replay(ids === undefined ? { filter } : { ids }), { noStore: true });
    },
  });
}

function described(letter: DeadLetter, schemas: LetterSchemas): z.infer<typeof letterOutput> {
  const { id, atMs, device, kind: refusedBy, code, message, readings, seq, position, bytes } = letter;
  return {
    id,
    at: new Date(atMs).toISOString(),
    device,
    transport: letter.transport,
    kind: refusedBy,
    schema: schemas.of(bytes),
    code,
    message,
    readings,
    seq,
    position,
    bytes: Buffer.from(bytes).toString('base64'),
  };
}
