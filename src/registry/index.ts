/** Schemas by subject, id and fingerprint, kept on disk; what they say together of each measurement. */
export type { Registry, RegisteredSchema, ResolvedFrame } from './registry.ts';
