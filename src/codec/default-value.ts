import type { AvroType } from './avro-types.ts';

/**
 * Whether a field's default, as JSON, is of the type (Avro specification, "Complex Types: Records"). A
 * union's default belongs to its first branch; bytes and fixed are strings of code points below 256.
 */
export function jsonFits(json: unknown, type: AvroType): boolean {
  switch (type.kind) {
    case 'null':
      return json === null;
    case 'boolean':
      return typeof json === 'boolean';
    case 'int':
      return Number.isInteger(json) && Math.abs(Number(json)) <= 2 ** 31 && json !== 2 ** 31;
    case 'long':
      return Number.isInteger(json) && Math.abs(Number(json)) <= 2 ** 63;
    case 'float':
    case 'double':
      return typeof json === 'number';
    case 'string':
      return typeof json === 'string';
    case 'bytes':
      return isByteString(json);
    case 'fixed':
      return isByteString(json) && json.length === type.size;
    case 'enum':
      return typeof json === 'string' && type.symbols.includes(json);
    case 'array':
      return Array.isArray(json) && json.every((item: unknown) => jsonFits(item, type.items));
    case 'map':
      return isPlainObject(json) && Object.values(json).every((value) => jsonFits(value, type.values));
    case 'union': {
      const first = type.branches[0];
      return first !== undefined && jsonFits(json, first);
    }
    case 'record':
      return (
        isPlainObject(json) &&
        type.fields.every((field) => {
          if (Object.hasOwn(json, field.name)) return jsonFits(json[field.name], field.type);
          return 'default' in field.attributes;
        })
      );
  }
}

function isByteString(json: unknown): json is string {
  return typeof json === 'string' && !/[^\p{ASCII}\u0080-\u00ff]/u.test(json);
}

function isPlainObject(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
