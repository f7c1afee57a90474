import { z } from 'zod';
import { ERRORS, MillraceError, byTransport } from '../../core/index.ts';
import { problem } from '../../net/index.ts';
import type { ApiContext } from '../context.ts';
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
  ];
}

function healthRoute(): Route {
  return defineRoute({
    method: 'GET',
    path: '/healthz',
    probe: true,
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
    probe: true,
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
          reason: z.string().nullable(),
          pendingBytes: count,
          pendingReadings: count,
          maxBytes: count,
        }),
        writer: z.object({
          state: z.string(),
          circuit: z.string().describe('closed, open or half-open'),
          reason: z.string().nullable(),
          retryInMs: z.number().nullable(),
          oldestPendingAgeMs: z.number().nullable(),
          since: z.string().describe('Since when the state is what it is, RFC 3339 in UTC'),
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
    probe: true,
    summary: 'Read the metrics in the Prometheus text form',
    input: NO_INPUT,
    output: { 'text/plain': 'text' },
    async handler() {
      const { contentType, body } = await context.metrics();
      return { status: 200, headers: { 'Content-Type': contentType, 'Cache-Control': 'no-store' }, body };
    },
  });
}

const ledgerCounts = z.object({
  received: count,
  stored: count,
  duplicates: count,
  rejected: count.describe('Refused before the ack'),
  deadLettered: count.describe('Acknowledged, then refused by the store'),
  expired: count.describe('Acknowledged, then dropped by a limit that the operator chose'),
  pending: count,
});

function ledgerRoute({ journal }: ApiContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/ledger',
    summary: 'Read what became of all readings; received is the sum of the others',
    input: z.object({
      by: z.enum(['transport']).optional().describe('Also the same for each way in; each of them balances'),
    }),
    output: {
      'application/json': ledgerCounts.extend({
        byTransport: z.object(byTransport(() => ledgerCounts)).optional(),
      }),
    },
    handler({ by }) {
      const { byTransport: each, ...counts } = journal.ledger();
      return json(by === 'transport' ? { ...counts, byTransport: each } : counts);
    },
  });
}
