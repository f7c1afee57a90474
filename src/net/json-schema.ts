import { z } from 'zod';

/** A JSON Schema document, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The input as JSON Schema: what a caller may send, so defaults are optional. A map is an object of any names. */
export function inputJsonSchema(input: z.ZodType): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(input, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      if (def.type !== 'map') return;
      Object.assign(jsonSchema, {
        type: 'object',
        additionalProperties: inputJsonSchema(def.valueType as z.ZodType),
      });
    },
  });
  return schema;
}
