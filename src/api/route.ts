import type { z } from 'zod';
import {
  bindParameters,
  inputJsonSchema,
  readBody,
  readQuery,
  type HttpAnswer,
  type HttpExchange,
  type JsonSchema,
  type RawParameters,
} from '../net/index.ts';

/** What an answer's body is, by media type: a schema for JSON, else whether it is text or bytes. */
export type Outputs = Readonly<Record<string, z.ZodType | 'text' | 'bytes'>>;

/** A route, declared once: routing, checking, errors and OpenAPI all come from this. */
export interface RouteDefinition<Input extends z.ZodObject> {
  method: 'GET' | 'POST';
  /** With `{name}` for one path segment; the segment is the parameter of that name. */
  path: string;
  summary: string;
  /** Parameters of path and query, or for POST the members of the JSON body. */
  input: Input;
  /** Parameters that also take several values in one, between commas. */
  commaSeparated?: readonly string[];
  /** Bytes of the JSON body at most; LIMITS.maxQueryBodyBytes when left out. */
  maxBodyBytes?: number;
  /** Machines ask it under whatever address they know: any Host is taken, and unknown parameters are ignored. */
  probe?: boolean;
  /** What the answer with status 200 holds. */
  output: Outputs;
  /** Problem answers that this route is known for, by status. */
  problems?: readonly number[];
  handler(input: z.infer<Input>, exchange: HttpExchange): Promise<HttpAnswer> | HttpAnswer;
}

/** A route as the router and the OpenAPI document see it. */
export interface Route {
  method: 'GET' | 'POST';
  path: string;
  summary: string;
  /** JSON Schema 2020-12 of the input, an object. */
  inputSchema: JsonSchema;
  output: Outputs;
  problems: readonly number[];
  /** See RouteDefinition. */
  probe: boolean;
  /** Checks the input (`parameter_*`, `body_*`) and answers. `segments` are the decoded path parameters. */
  answer(exchange: HttpExchange, segments: Readonly<Record<string, string>>): Promise<HttpAnswer>;
}

export function defineRoute<Input extends z.ZodObject>(definition: RouteDefinition<Input>): Route {
  const inputSchema = inputJsonSchema(definition.input);
  const commas = definition.commaSeparated ?? [];
  return {
    method: definition.method,
    path: definition.path,
    summary: definition.summary,
    inputSchema,
    output: definition.output,
    problems: definition.problems ?? [],
    probe: definition.probe ?? false,
    async answer(exchange, segments) {
      const raw =
        definition.method === 'POST'
          ? await readBody(exchange, commas, definition.maxBodyBytes)
          : readQuery(exchange.query, segments, commas);
      const known = definition.probe === true ? knownOf(raw, definition.input) : raw;
      return definition.handler(bindParameters(known, definition.input, inputSchema), exchange);
    },
  };
}

function knownOf(raw: RawParameters, input: z.ZodObject): RawParameters {
  return new Map([...raw].filter(([name]) => Object.hasOwn(input.shape, name)));
}

/** A JSON answer. `no-store` is for answers about this very moment; the others get their headers by the router. */
export function json(value: unknown, options: { status?: number; noStore?: boolean } = {}): HttpAnswer {
  return {
    status: options.status ?? 200,
    headers: {
      'Content-Type': 'application/json',
      ...(options.noStore === true ? { 'Cache-Control': 'no-store' } : {}),
    },
    body: JSON.stringify(value),
  };
}
