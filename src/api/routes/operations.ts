import { z } from 'zod';
import { ERRORS, LIMITS, MillraceError } from '../../core/index.ts';
import { problem } from '../../net/index.ts';
import type { ApiContext } from '../context.ts';
import { decodeKeyPage, encodeKeyPage } from '../page-cursor.ts';
import { defineRoute, json, type Route } from '../route.ts';

const NO_INPUT = z.object({});
const count = z.int().nonnegative();
const cell = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** What operators and their machines ask. */
export function operationsRoutes(context: ApiContext): Route[] {
  return [
    healthRoute(),
    readyRoute(context),
    metricsRoute(context),
    statsRoute(context),
    ledgerRoute(context),
    deadLettersRoute(context),
  ];
}

function healthRoute(): Route {
  return defineRoute({
    method: 'GET',
    path: '/healthz',
    summary: 'Tell that the process lives',
    input: NO_INPUT,
    output: { 'application/json': z.object({ status: z.literal('alive') }) },
    handler: () => json({ status: 'alive' }, { noStore: true }),
  });
}

const readyOutput = z.object({
  ready: z.boolean().describe('Whether frames are taken'),
  queryReady: z.boolean().describe('Whether queries are answered'),
  parts: z.record(z.string(), z.object({ state: z.string() }).catchall(cell)),
});

function readyRoute(context: ApiContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/readyz',
    summary: 'Tell whether frames are taken, and the state of each part',
    input: z.object({
      for: z
        .enum(['ingest', 'query'])
        .default('ingest')
        .describe('What the status answers for: taking frames, or answering queries'),
    }),
    output: { 'application/json': readyOutput },
    problems: [503],
    handler(input) {
      const { ingest, query, parts } = context.status();
      const report = { ready: ingest === null, queryReady: query === null, parts };
      const reason = input.for === 'query' ? query : ingest;
      if (reason === null) return json(report, { noStore: true });
      // The state of each part beside the problem's own members (RFC 9457, 3.2).
      return problem(new MillraceError(reason, ERRORS[reason].help), {}, report);
    },
  });
}

function statsRoute(context: ApiContext): Route {
  const latency = z.number().nullable();
  return defineRoute({
    method: 'GET',
    path: '/v1/stats',
    summary: 'Read what streams now: the figures of the dashboard',
    input: NO_INPUT,
    output: {
      'application/json': z.object({
        devices: z.object({ connected: count }),
        tails: count,
        readings: z.object({ perSecond: z.number(), total: count }),
        ackMs: z.object({ p50: latency, p99: latency }),
        store: z.object({ kind: z.string(), state: z.string(), reason: z.string().nullable() }),
        journal: z.object({
          state: z.string(),
          pendingBytes: count,
          pendingReadings: count,
          maxBytes: count,
        }),
        version: z.string(),
        uptimeS: count,
      }),
    },
    handler: () => json(context.stats(), { noStore: true }),
  });
}

function metricsRoute(context: ApiContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/metrics',
    summary: 'Read the metrics in the Prometheus text form',
    input: NO_INPUT,
    output: { 'text/plain': null },
    async handler() {
      const { contentType, body } = await context.metrics();
      return { status: 200, headers: { 'Content-Type': contentType, 'Cache-Control': 'no-store' }, body };
    },
  });
}

function ledgerRoute({ journal }: ApiContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/ledger',
    summary: 'Read what became of all readings; received is the sum of the others',
    input: NO_INPUT,
    output: {
      'application/json': z.object({
        received: count,
        stored: count,
        duplicates: count,
        rejected: count,
        deadLettered: count,
        expired: count,
        pending: count,
      }),
    },
    handler() {
      const { received, stored, duplicates, rejected, deadLettered, expired, pending } = journal.ledger();
      return json({ received, stored, duplicates, rejected, deadLettered, expired, pending });
    },
  });
}

function deadLettersRoute({ journal }: ApiContext): Route {
  const binding = 'dead-letters';
  return defineRoute({
    method: 'GET',
    path: '/v1/dead-letters',
    summary: 'List refused frames, newest first',
    input: z.object({
      limit: z.int().min(1).max(LIMITS.deadLettersMaxRows).default(LIMITS.deadLettersDefaultRows),
      cursor: z.string().max(2_048).optional().describe('Where the page before ended'),
    }),
    output: {
      'application/json': z.object({
        deadLetters: z.array(
          z.object({
            id: z.string(),
            at: z.string().describe('The arrival, RFC 3339 in UTC'),
            device: z.string(),
            transport: z.enum(['ws', 'http', 'mqtt']),
            code: z.string(),
            message: z.string(),
            bytes: z.string().describe('The frame as it came, base64'),
          }),
        ),
        cursor: z.string().nullable(),
      }),
    },
    problems: [400],
    handler({ limit, cursor }) {
      const before = cursor === undefined ? undefined : decodeKeyPage(binding, cursor);
      const found = journal.deadLetters(limit + 1, before);
      const page = withinBytes(found.slice(0, limit), LIMITS.deadLettersPageBytes);
      const last = page.at(-1);
      return json({
        deadLetters: page.map((letter) => ({
          id: letter.id,
          at: new Date(letter.atMs).toISOString(),
          device: letter.device,
          transport: letter.transport,
          code: letter.code,
          message: letter.message,
          bytes: Buffer.from(letter.bytes).toString('base64'),
        })),
        cursor: found.length > page.length && last !== undefined ? encodeKeyPage(binding, last.id) : null,
      });
    },
  });
}

/** The first letters that fit a page: always one, or the list could not go on. */
function withinBytes<T extends { bytes: Uint8Array }>(letters: readonly T[], maxBytes: number): T[] {
  let bytes = 0;
  const end = letters.findIndex((letter, i) => {
    bytes += letter.bytes.byteLength;
    return i > 0 && bytes > maxBytes;
  });
  return end === -1 ? [...letters] : letters.slice(0, end);
}
