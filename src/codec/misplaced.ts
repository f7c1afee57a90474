import type { AvroType, JsonObject } from './avro-types.ts';
import { TIME_UNITS } from './time-units.ts';

/** What the mapping reads on a field, and only there. */
const FIELD_ATTRIBUTES = ['role', 'unit', 'measurement'] as const;

/**
 * What a field says in a place or form in which it means nothing, with the mend; null for a field without such. `type` is
 * the field's without null; `mayBeTime` is false where a role says that it is none.
 */
export function misplacedIn(field: JsonObject, type: AvroType, mayBeTime: boolean): string | null {
  return (mayBeTime ? lostTime(field, type) : null) ?? lostAttribute(field);
}

/** A time that Avro does not see, so that the field would be a number and the time that of receipt. */
function lostTime(field: JsonObject, type: AvroType): string | null {
  const inside = 'logicalType' in type ? type.logicalType : null;
  if (inside !== null && /^timestamp/i.test(inside)) {
    if (!TIME_UNITS.has(inside)) {
      return `the logicalType "${inside.slice(0, 60)}" is none of ${[...TIME_UNITS.keys()].join(', ')}`;
    }
    return type.kind === 'long' ? null : `a ${inside} is a long: on the type ${type.kind} Avro ignores it`;
  }
  const beside = logicalTypeBeside(field);
  if (beside === null) return null;
  return (
    `"logicalType": "${beside.slice(0, 60)}" stands beside the type, where Avro does not see it: ` +
    'write "type": { "type": "long", "logicalType": "timestamp-millis" }, or its unit'
  );
}

/** The logical type of a time on an object whose type is not a plain name beside it. */
function logicalTypeBeside(object: JsonObject): string | null {
  const { logicalType, type } = object;
  if (typeof logicalType === 'string' && /^timestamp/i.test(logicalType)) return logicalType;
  return isObject(type) && isObject(type['type']) ? logicalTypeBeside(type) : null;
}

function lostAttribute(field: JsonObject): string | null {
  if ('measurement' in field)
    return '"measurement" names nothing on a field: put it on the record of the frame';
  if ('unit' in field && typeof field['unit'] !== 'string') return 'the attribute "unit" must be a string';
  const name = attributeInside(field['type']);
  if (name === null) return null;
  return name === 'measurement'
    ? '"measurement" names nothing inside a field\'s type: put it on the record of the frame'
    : `"${name}" stands inside the type, where it means nothing: put it on the field, beside "name" and "type"`;
}

/** The first of the attributes that a type's own objects have; the fields of a record inside it are looked at by themselves. */
function attributeInside(type: unknown): string | null {
  if (Array.isArray(type)) {
    for (const branch of type as unknown[]) {
      const found = attributeInside(branch);
      if (found !== null) return found;
    }
    return null;
  }
  if (!isObject(type)) return null;
  const found = FIELD_ATTRIBUTES.find((name) => name in type);
  return found ?? attributeInside(type['type'] === 'array' ? type['items'] : type['type']);
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
