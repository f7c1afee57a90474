import { z } from 'zod';
import { LIMITS, MillraceError } from '../../core/index.ts';
import type { DeadLetter } from '../../journal/index.ts';
import type { ApiContext } from '../context.ts';
import { decodeKeyPage, encodeKeyPage } from '../page-cursor.ts';
import { defineRoute, json, type Route } from '../route.ts';

const transport = z.enum(['ws', 'http', 'mqtt']);
const kind = z.enum(['rejected', 'deadLettered']);

const letterOutput = z.object({
  id: z.string(),
  at: z.string().describe('The arrival, RFC 3339 in UTC'),
  device: z.string(),
  transport,
  kind: kind.describe('rejected: before the ack; deadLettered: by the store, after it'),
  schema: z.string().nullable().describe("The writer's schema as the frame names it: fingerprint or id"),
  code: z.string(),
  message: z.string(),
  readings: z.int().positive().describe('Readings that it stands for in the ledger'),
  position: z.int().nullable().describe('Place in the journal of a frame that was acknowledged'),
  bytes: z.string().describe('The frame as it came, base64'),
});

/** Refused frames: list, show, try again. */
export function deadLetterRoutes(context: ApiContext): Route[] {
  return [listRoute(context), showRoute(context), replayRoute(context)];
}

function listRoute({ journal }: ApiContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/dead-letters',
    summary: 'List refused frames, newest first',
    input: z.object({
      device: z.string().max(128).optional().describe('Only of this device'),
      code: z.string().max(64).optional().describe('Only with this error code'),
      kind: kind.optional(),
      transport: transport.optional(),
      limit: z.int().min(1).max(LIMITS.deadLettersMaxRows).default(LIMITS.deadLettersDefaultRows),
      cursor: z.string().max(2_048).optional().describe('Where the page before ended'),
    }),
    output: {
      'application/json': z.object({ deadLetters: z.array(letterOutput), cursor: z.string().nullable() }),
    },
    problems: [400],
    handler({ limit, cursor, ...filter }) {
      const { device, code, kind: by, transport: way } = filter;
      const binding = `dead-letters ${JSON.stringify([device, code, by, way])}`;
      const before = cursor === undefined ? undefined : decodeKeyPage(binding, cursor);
      const { page, last } = collect(journal, filter, limit, before);
      return json({
        deadLetters: page.map(described),
        cursor: last === null ? null : encodeKeyPage(binding, last),
      });
    },
  });
}

type Filter = { readonly [Key in 'device' | 'code' | 'kind' | 'transport']?: string | undefined };

/**
 * The next letters that match: as many as fit the page, out of a bounded number that are looked at, so a page may
 * be short, or empty, and not the last. `last` is the id that the next page begins behind; null at the end.
 */
function collect(
  journal: ApiContext['journal'],
  filter: Filter,
  limit: number,
  start: string | undefined,
): { page: DeadLetter[]; last: string | null } {
  const wanted = Object.entries(filter).filter(([, value]) => value !== undefined);
  const page: DeadLetter[] = [];
  let before = start;
  let bytes = 0;
  for (let looked = 0; looked < LIMITS.deadLettersScanned;) {
    const found = journal.deadLetters(LIMITS.deadLettersDefaultRows, before);
    for (const letter of found) {
      const fits = wanted.every(([name, value]) => letter[name as keyof Filter] === value);
      if (fits) {
        bytes += letter.bytes.byteLength;
        // Always one, or the list could not go on.
        const full = page.length === limit || (page.length > 0 && bytes > LIMITS.deadLettersPageBytes);
        if (full) return { page, last: before ?? null };
        page.push(letter);
      }
      before = letter.id;
    }
    looked += found.length;
    if (found.length < LIMITS.deadLettersDefaultRows) return { page, last: null };
  }
  return { page, last: before ?? null };
}

function showRoute({ journal }: ApiContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/dead-letters/{id}',
    summary: 'Read one refused frame',
    input: z.object({ id: z.string().max(20) }),
    output: { 'application/json': letterOutput },
    problems: [404],
    handler({ id }) {
      const letter = /^[0-9a-z]{1,10}$/.test(id) ? journal.deadLetter(id) : undefined;
      if (letter === undefined) {
        throw new MillraceError('dead_letter_unknown', `there is no dead letter ${id}`);
      }
      return json(described(letter));
    },
  });
}

function replayRoute({ replay }: ApiContext): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/dead-letters/replay',
    summary: 'Try refused frames again: those that pass by now become pending, the others stay',
    input: z.object({
      ids: z
        .array(z.string().max(20))
        .max(LIMITS.maxReplayIds)
        .optional()
        .describe('Which; all of them where it is missing'),
    }),
    output: {
      'application/json': z.object({
        replayed: z.int().nonnegative(),
        refused: z
          .array(z.object({ id: z.string(), code: z.string(), message: z.string() }))
          .describe(`At most ${LIMITS.maxReplayRefused} of those that are refused again`),
        refusedTotal: z.int().nonnegative(),
      }),
    },
    problems: [400, 415, 503],
    async handler({ ids }) {
      return json(await replay(ids ?? null), { noStore: true });
    },
  });
}

function described(letter: DeadLetter): z.infer<typeof letterOutput> {
  const { id, atMs, device, kind: refusedBy, code, message, readings, position, bytes } = letter;
  return {
    id,
    at: new Date(atMs).toISOString(),
    device,
    transport: letter.transport,
    kind: refusedBy,
    schema: schemaOf(bytes),
    code,
    message,
    readings,
    position,
    bytes: Buffer.from(bytes).toString('base64'),
  };
}

/** The schema that a frame names: 16 hex digits of the fingerprint, or the decimal id; null without a header. */
function schemaOf(bytes: Uint8Array): string | null {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (frame.length >= 10 && frame[0] === 0xc3 && frame[1] === 1)
    return frame.readBigUInt64LE(2).toString(16).padStart(16, '0');
  return frame.length >= 5 && frame[0] === 0 ? String(frame.readUInt32BE(1)) : null;
}
