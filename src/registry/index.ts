/**
 * Schemas by subject, id and fingerprint, kept on disk; what they say together of each measurement.
 *
 * It promises that an id, once given, always names the same schema; that a registration which resolved
 * survives a crash; and that all schemas of a measurement agree on role and type of every column.
 */
export type {
  Registry,
  RegisteredSchema,
  RegistryContents,
  ResolvedFrame,
  SubjectVersion,
} from './registry.ts';
export { openRegistry, type RegistryOptions } from './open.ts';
export { RegistryCopy, type SchemaLookup } from './copy.ts';
export {
  choose,
  findMeasurement,
  selectionInput,
  several,
  timeForms,
  timeInput,
  type Chosen,
} from './selection.ts';
export { loadSchemaFolder } from './schema-folder.ts';
