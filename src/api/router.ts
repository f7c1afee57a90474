import { MillraceError } from '../core/index.ts';
import type { HttpAnswer, HttpExchange } from '../net/index.ts';
import type { Route } from './route.ts';

/** What a path leads to: one route per method. */
export interface Match {
  /** The path as it was declared. */
  pattern: string;
  routes: readonly Route[];
  segments: Readonly<Record<string, string>>;
}

interface Pattern {
  /** A literal, or the name of a parameter. */
  parts: readonly { literal: string | null; name: string }[];
  routes: Route[];
}

/** Finds routes by path. Literal paths win over those with parameters. */
export class Router {
  readonly #literal = new Map<string, Route[]>();
  readonly #patterns: Pattern[] = [];

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const siblings = this.#siblings(route.path);
      if (siblings.some((each) => each.method === route.method)) {
        throw new Error(`${route.method} ${route.path} is declared twice`);
      }
      siblings.push(route);
    }
  }

  #siblings(path: string): Route[] {
    const known = this.#literal.get(path) ?? this.#patterns.find((each) => pathOf(each) === path)?.routes;
    if (known !== undefined) return known;
    const routes: Route[] = [];
    if (!path.includes('{')) {
      this.#literal.set(path, routes);
      return routes;
    }
    const parts = path.split('/').map((part) => {
      const name = /^\{(\w+)\}$/.exec(part)?.[1];
      return name === undefined ? { literal: part, name: '' } : { literal: null, name };
    });
    this.#patterns.push({ parts, routes });
    return routes;
  }

  /** `path` as it came, still encoded. */
  match(path: string): Match | null {
    const literal = this.#literal.get(path);
    if (literal !== undefined) return { pattern: path, routes: literal, segments: {} };
    const given = path.split('/');
    for (const pattern of this.#patterns) {
      const segments = matchParts(pattern.parts, given);
      if (segments !== null) return { pattern: pathOf(pattern), routes: pattern.routes, segments };
    }
    return null;
  }
}

function pathOf(pattern: Pattern): string {
  return pattern.parts.map((part) => part.literal ?? `{${part.name}}`).join('/');
}

function matchParts(parts: Pattern['parts'], given: readonly string[]): Record<string, string> | null {
  if (parts.length !== given.length) return null;
  const segments: Record<string, string> = {};
  for (const [i, part] of parts.entries()) {
    const text = given[i] ?? '';
    if (part.literal !== null) {
      if (part.literal !== text) return null;
      continue;
    }
    const decoded = decodeSegment(text);
    if (decoded === null || decoded === '') return null;
    segments[part.name] = decoded;
  }
  return segments;
}

/** Percent-decoded; null where the encoding is broken. */
function decodeSegment(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** The methods that a path's routes answer; HEAD comes with GET. */
export function allowed(routes: readonly Pick<Route, 'method'>[]): string {
  return routes.flatMap((route) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method])).join(', ');
}

/** Answers by the matched path's route for the method. Throws MethodNotAllowed. */
export function dispatch(exchange: HttpExchange, match: Match): Promise<HttpAnswer> {
  const method = exchange.method === 'HEAD' ? 'GET' : exchange.method;
  const route = match.routes.find((each) => each.method === method);
  if (route === undefined) throw new MethodNotAllowed(exchange.method, allowed(match.routes));
  return route.answer(exchange, match.segments);
}

/** 405 needs the Allow header beside the problem (RFC 9110, 15.5.6). */
export class MethodNotAllowed extends MillraceError {
  readonly allow: string;

  constructor(method: string, allow: string) {
    super('method_not_allowed', `${method.slice(0, 20)} is not possible here; use ${allow}`);
    this.allow = allow;
  }
}
