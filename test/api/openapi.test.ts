import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { meter, openApiFixture } from './fixture.ts';

interface Operation {
  operationId: string;
  summary: string;
  parameters?: { name: string; in: string; required?: boolean; schema: Record<string, unknown> }[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
}

let api: Awaited<ReturnType<typeof openApiFixture>>;
let document: Record<string, unknown>;
let paths: Record<string, Record<string, Operation>>;

beforeAll(async () => {
  api = await openApiFixture();
  await api.write([meter(10, 'a')]);
  document = (await api.call('/openapi.json')).json;
  paths = document['paths'] as typeof paths;
});
afterAll(() => api.close());

const operations = () =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

describe('/openapi.json', () => {
  test('is OpenAPI 3.1 of this version', () => {
    expect(document['openapi']).toMatch(/^3\.1\.\d+$/);
    expect(document['info']).toMatchObject({ title: 'Millrace', version: '1.2.3' });
  });

  test('has every route', () => {
    expect(
      operations()
        .map(({ path, method }) => `${method} ${path}`)
        .sort(),
    ).toEqual([
      'get /healthz',
      'get /metrics',
      'get /openapi.json',
      'get /readyz',
      'get /v1/dead-letters',
      'get /v1/dead-letters/{id}',
      'get /v1/devices',
      'get /v1/devices/{id}',
      'get /v1/latest',
      'get /v1/ledger',
      'get /v1/measurements',
      'get /v1/query',
      'get /v1/stats',
      'post /v1/dead-letters/replay',
      'post /v1/latest',
      'post /v1/query',
    ]);
  });

  test('names each operation once, with a summary and its answers', () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operation } of operations()) {
      expect(operation.summary).not.toBe('');
      expect(operation.responses['200']?.content).toBeDefined();
      expect(operation.responses['default']?.content?.['application/problem+json']).toBeDefined();
    }
  });

  test('declares every parameter of a path, and none twice', () => {
    for (const { path, operation } of operations()) {
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(inPath.map((parameter) => `{${parameter.name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
      expect(inPath.every((parameter) => parameter.required === true)).toBe(true);
      const names = (operation.parameters ?? []).map((parameter) => parameter.name);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  test('tells the parameters of a query with bounds and defaults', () => {
    const parameters = paths['/v1/query']?.['get']?.parameters ?? [];
    const byName = Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter]));
    expect(byName['measurement']).toMatchObject({ required: true, schema: { type: 'string' } });
    expect(byName['limit']).toMatchObject({ schema: { type: 'integer', minimum: 1, maximum: 1_000_000 } });
    expect(byName['from']).toMatchObject({ required: false, schema: { default: '-1h' } });
    expect(byName['fn']).toMatchObject({ style: 'form', explode: true, schema: { type: 'array' } });
  });

  test('points nowhere but into itself', () => {
    const schemas = (document['components'] as { schemas: object }).schemas;
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(refs.length).toBeGreaterThan(0);
    for (const ref of refs) expect(Object.keys(schemas)).toContain(ref.replace('#/components/schemas/', ''));
  });

  test.each([
    ['/v1/query', '/v1/query?measurement=meter'],
    ['/v1/latest', '/v1/latest?measurement=meter'],
    ['/v1/measurements', '/v1/measurements'],
    ['/v1/devices', '/v1/devices'],
    ['/v1/devices/{id}', '/v1/devices/a'],
    ['/v1/ledger', '/v1/ledger'],
    ['/v1/dead-letters', '/v1/dead-letters'],
    ['/v1/stats', '/v1/stats'],
    ['/healthz', '/healthz'],
    ['/readyz', '/readyz'],
    ['/openapi.json', '/openapi.json'],
  ])('describes what %s answers', async (path, url) => {
    const schema = paths[path]?.['get']?.responses['200']?.content?.['application/json']?.schema;
    expect(schema).toBeDefined();
    const { status, json } = await api.call(url);
    expect(status).toBe(200);
    const checked = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(json);
    expect(checked.error?.issues ?? []).toEqual([]);
    expect(z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse({}).success).toBe(
      false,
    );
  });
});
