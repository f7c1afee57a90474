/**
 * Schemas by subject, id and fingerprint, kept on disk; what they say together of each measurement. A
 * schema that has no form as time series, or contradicts another, is refused when it is registered.
 */
export type { Registry, RegisteredSchema, ResolvedFrame } from './registry.ts';
export { openRegistry } from './open.ts';
export { loadSchemaFolder } from './folder.ts';
