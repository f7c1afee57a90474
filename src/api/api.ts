import { Answers, type AnswerSource, type ReadableStore } from '../answers/index.ts';
import { LIMITS, MillraceError } from '../core/index.ts';
import {
  asMillraceError,
  isOriginAllowed,
  isPreflight,
  preflight,
  problem,
  requireLoopbackHost,
  withCors,
  type HttpAnswer,
  type HttpExchange,
  type JsonSchema,
} from '../net/index.ts';
import { z } from 'zod';
import { conditional } from './conditional.ts';
import type { ApiContext } from './context.ts';
import { openApiDocument } from './openapi.ts';
import { MethodNotAllowed, Router, allowed, dispatch } from './router.ts';
import { defineRoute, json, type Route } from './route.ts';
import { catalogRoutes } from './routes/catalog.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { latestRoutes } from './routes/latest.ts';
import { operationsRoutes } from './routes/operations.ts';
import { queryRoutes } from './routes/query.ts';
import { loadStaticFiles } from './static-files.ts';

export interface ApiOptions extends Omit<ApiContext, 'queryTimeoutMs' | 'answers'> {
  version: string;
  store: ApiContext['store'] & ReadableStore;
  /** Where answers of rows are made; in this process, out of `store`, by default. */
  answers?: AnswerSource;
  queryTimeoutMs?: number;
  /** Folder of the built page; without it `/` is unknown. */
  pageDir?: string;
  /** Operations of OpenAPI by path and method that ways in answer beside these routes. */
  described?: Readonly<Record<string, JsonSchema>>;
  /** Origins of other pages that may send requests other than reads. */
  origins?: readonly string[];
  /** Answer only under loopback names and those of `origins`: for a server on loopback without authentication. */
  loopbackOnly?: boolean;
  /** Hears of every answer: the route's pattern (never the path, which has no bound), status and time. */
  onAnswer?: (route: string, status: number, ms: number) => void;
}

/** The route that an answer is counted under when no declared one matched. */
const PAGE = 'page';
const UNKNOWN = 'unknown';

/**
 * The HTTP API as one function. It never rejects for what a client did: that is answered as problem+json. A
 * defect is thrown on, for the edge to log and answer.
 */
export function createApi(options: ApiOptions): (exchange: HttpExchange) => Promise<HttpAnswer> {
  const { pageDir, origins = [], loopbackOnly = false, onAnswer } = options;
  const context: ApiContext = {
    ...options,
    answers: options.answers ?? new Answers(() => options.store),
    queryTimeoutMs: options.queryTimeoutMs ?? LIMITS.queryTimeoutMs,
  };
  const router = new Router(apiRoutes(context, options));
  const files = pageDir === undefined ? new Map<string, HttpAnswer>() : loadStaticFiles(pageDir);

  const find = (exchange: HttpExchange): Destination => {
    const match = router.match(exchange.path);
    if (match !== null) {
      const { pattern, routes } = match;
      const methods = allowed(routes);
      const probe = routes.some((route) => route.probe);
      return { name: pattern, methods, probe, answer: () => dispatch(exchange, match) };
    }
    const file = files.get(exchange.path);
    if (file !== undefined) {
      return { name: PAGE, methods: 'GET, HEAD', probe: false, answer: () => sendFile(exchange, file) };
    }
    const message = `there is no route ${exchange.path.slice(0, 100)}`;
    const answer = (): Promise<HttpAnswer> => Promise.reject(new MillraceError('route_unknown', message));
    return { name: UNKNOWN, methods: '', probe: false, answer };
  };

  return async (exchange) => {
    const startMs = performance.now();
    const { name, methods, probe, answer } = find(exchange);
    let status = 500;
    try {
      if (loopbackOnly && !probe) requireLoopbackHost(exchange.header('host'), origins);
      if (isPreflight(exchange) && methods !== '') {
        const made = preflight(exchange, methods, origins);
        status = made.status;
        return withSecurity(withCors(exchange, made, origins));
      }
      if (!isRead(exchange) && !isOriginAllowed((header) => exchange.header(header), origins)) {
        throw new MillraceError('origin_forbidden', 'pages of other origins may not send this');
      }
      const whole = await answer();
      const made = conditional(exchange, whole);
      if (exchange.method === 'HEAD' || made.body === null) await leaveBody(whole);
      status = made.status;
      return withSecurity(withCors(exchange, made, origins));
    } catch (error) {
      const known = asMillraceError(error);
      if (known.code === 'internal') throw error;
      const refusal = problem(known, known instanceof MethodNotAllowed ? { Allow: known.allow } : {});
      status = refusal.status;
      return withSecurity(withCors(exchange, refusal, origins));
    } finally {
      onAnswer?.(name, status, performance.now() - startMs);
    }
  };
}

/** What a path leads to: a route or a file of the page, under the name that its answers are counted by. */
interface Destination {
  name: string;
  /** The methods that the path takes, as Allow has them; empty where there is nothing. */
  methods: string;
  probe: boolean;
  answer: () => Promise<HttpAnswer>;
}

/** All routes, /openapi.json that describes them included. */
function apiRoutes(
  context: ApiContext,
  { version, described = {} }: Pick<ApiOptions, 'version' | 'described'>,
): Route[] {
  const routes: Route[] = [
    ...queryRoutes(context),
    ...latestRoutes(context),
    ...catalogRoutes(context),
    ...operationsRoutes(context),
    ...deadLetterRoutes(context),
  ];
  let document: string | null = null;
  routes.push(
    defineRoute({
      method: 'GET',
      path: '/openapi.json',
      summary: 'Read this description of the routes',
      input: z.object({}),
      output: { 'application/json': z.object({ openapi: z.string() }).catchall(z.unknown()) },
      handler() {
        document ??= JSON.stringify(openApiDocument(routes, version, described));
        return { ...json(null), body: document };
      },
    }),
  );
  return routes;
}

function isRead(exchange: HttpExchange): boolean {
  return exchange.method === 'GET' || exchange.method === 'HEAD';
}

async function sendFile(exchange: HttpExchange, file: HttpAnswer): Promise<HttpAnswer> {
  if (!isRead(exchange)) throw new MethodNotAllowed(exchange.method, 'GET, HEAD');
  return file;
}

/** A body that HEAD does not send holds a query: it is let go. */
async function leaveBody({ body }: HttpAnswer): Promise<void> {
  if (body !== null && typeof body === 'object' && Symbol.asyncIterator in body) {
    await body[Symbol.asyncIterator]().return?.();
  }
}

function withSecurity(answer: HttpAnswer): HttpAnswer {
  return { ...answer, headers: { ...answer.headers, 'X-Content-Type-Options': 'nosniff' } };
}
