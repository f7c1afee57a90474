/**
 * The HTTP API: reads and operations. Each route is declared once (method, path, input, output, handler);
 * routing, checking, errors, conditional requests and /openapi.json come from that. Every refusal is
 * problem+json with a stable code; memory is bounded by LIMITS whatever is asked.
 */
export { createApi, type ApiOptions } from './api.ts';
export type { PartState, ReadyReport, ServerStats } from './context.ts';
