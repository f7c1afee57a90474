import { z } from 'zod';
import { ERRORS } from '../core/index.ts';
import type { JsonSchema } from '../net/index.ts';
import type { Outputs, Route } from './route.ts';

/** RFC 9457, with the members that we add. */
const problemOutput = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(Object.keys(ERRORS)).describe('Stable; match on this, never on the texts'),
  detail: z.string(),
  path: z.string().optional().describe('The place inside a frame or schema'),
});

const PROBLEM_TITLES: Readonly<Record<number, string>> = {
  400: 'A parameter is missing, unknown or wrong',
  404: 'There is no such thing',
  406: 'None of the accepted forms is made here',
  413: 'The body is too large',
  415: 'The body has another content type',
  503: 'Not now; try again later',
};

/** The OpenAPI 3.1 document of the routes, and of what is answered beside them: `described` is by path and method. */
export function openApiDocument(
  routes: readonly Route[],
  version: string,
  described: Readonly<Record<string, JsonSchema>>,
): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace',
      version,
      description: 'Frames by HTTP, reads and operations of a telemetry gateway. GET routes answer HEAD too.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    paths: { ...paths, ...described },
    components: { schemas: { Problem: outputSchema(problemOutput) } },
  };
}

function operation(route: Route): JsonSchema {
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(route.method === 'GET' ? { parameters: parameters(route) } : { requestBody: requestBody(route) }),
    responses: {
      200: { description: 'The answer', content: content(route.output) },
      ...(route.method === 'GET' ? { 304: { description: 'The reader has this answer already' } } : {}),
      ...Object.fromEntries(route.problems.map((status) => [status, problemResponse(status)])),
      default: problemResponse(0),
    },
  };
}

/** `GET /v1/devices/{id}` is `getDevicesId`. */
function operationId(route: Route): string {
  const words = route.path.replace(/^\/v\d+/, '').match(/\w+/g) ?? ['root'];
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return route.method.toLowerCase() + name;
}

function parameters(route: Route): JsonSchema[] {
  const properties = (route.inputSchema['properties'] ?? {}) as Record<string, JsonSchema>;
  const required = (route.inputSchema['required'] ?? []) as string[];
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...schema } = property;
    const inPath = route.path.includes(`{${name}}`);
    const common = {
      name,
      in: inPath ? 'path' : 'query',
      schema,
      ...(description === undefined ? {} : { description }),
    };
    if (inPath) return { ...common, required: true };
    // OpenAPI has no word for names with a free part (tag.NAME); the description tells it.
    if (schema['type'] === 'object') return { ...common, style: 'deepObject', explode: true };
    if (schema['type'] === 'array')
      return { ...common, style: 'form', explode: true, required: required.includes(name) };
    return { ...common, required: required.includes(name) };
  });
}

function requestBody(route: Route): JsonSchema {
  return { required: true, content: { 'application/json': { schema: route.inputSchema } } };
}

function content(outputs: Outputs): JsonSchema {
  const entries = Object.entries(outputs).map(([type, output]) => [type, { schema: bodySchema(output) }]);
  return Object.fromEntries(entries) as JsonSchema;
}

function bodySchema(output: Outputs[string]): JsonSchema {
  switch (output) {
    case 'text':
      return { type: 'string' };
    case 'bytes':
      return { type: 'string', format: 'binary' };
    default:
      return outputSchema(output);
  }
}

function outputSchema(output: z.ZodType): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(output, { io: 'output' });
  return schema;
}

function problemResponse(status: number): JsonSchema {
  return {
    description: PROBLEM_TITLES[status] ?? 'A problem',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
}
