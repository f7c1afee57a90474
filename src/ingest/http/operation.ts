import { z } from 'zod';
import { ERRORS, LIMITS } from '../../core/index.ts';
import { inputJsonSchema, type JsonSchema } from '../../net/index.ts';
import { framesInput } from './request.ts';

const count = z.int().nonnegative();
const counts = z.object({
  accepted: count.describe('Frames that are on disk now'),
  duplicates: count.describe('Frames that were there already: not stored again, and no error'),
  rejected: z
    .array(z.object({ index: count, code: z.enum(Object.keys(ERRORS)), message: z.string() }))
    .describe('Frames that are refused and kept as dead letters; the index counts from 0'),
});

function schemaOf(type: z.ZodType): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(type, { io: 'output' });
  return schema;
}

const refusal = (description: string): JsonSchema => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
});

const { device } = inputJsonSchema(framesInput)['properties'] as Record<string, JsonSchema>;
const { description, ...deviceSchema } = device ?? {};

/** `POST /v1/frames` as an operation of OpenAPI 3.1. */
export const FRAMES_OPERATION: JsonSchema = {
  operationId: 'postFrames',
  summary: 'Send frames: the answer comes when they are on disk',
  parameters: [
    {
      name: 'X-Device',
      in: 'header',
      schema: { type: 'string' },
      description: 'The device that the frames are of',
      required: false,
    },
    {
      name: 'Idempotency-Key',
      in: 'header',
      schema: { type: 'string', minLength: 1, maxLength: LIMITS.idempotencyKeyChars },
      description:
        'A name for this request: frames without a time of their own are duplicates when it comes again',
      required: false,
    },
    { name: 'device', in: 'query', schema: deviceSchema, description, required: false },
  ],
  requestBody: {
    required: true,
    content: { 'avro/binary': { schema: { type: 'string', format: 'binary' } } },
  },
  responses: {
    200: {
      description: 'Every frame is on disk, was there already, or is refused and kept as a dead letter',
      content: { 'application/json': { schema: schemaOf(counts) } },
    },
    400: refusal('The device, a parameter, a header or the coding of the body is missing or wrong'),
    403: refusal('Pages of this origin may not send frames'),
    408: refusal('The body did not come in time'),
    413: refusal('The body is too large, or unpacks to too much'),
    415: refusal('The body has another content type or coding'),
    422: refusal('Every frame was refused; the code is that of the first'),
    503: refusal('Not now; send the same again after Retry-After'),
    default: refusal('A problem'),
  },
};
