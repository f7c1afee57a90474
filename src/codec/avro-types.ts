/**
 * An Avro schema with names resolved; `attributes` is the JSON object that it came from, null for a primitive type that
 * was only named.
 */
export type AvroType =
  | PrimitiveType
  | RecordType
  | { kind: 'enum'; name: string; symbols: readonly string[]; attributes: JsonObject }
  | { kind: 'fixed'; name: string; size: number; attributes: JsonObject }
  | { kind: 'array'; items: AvroType }
  | { kind: 'map'; values: AvroType }
  | { kind: 'union'; branches: readonly AvroType[] };

export interface PrimitiveType {
  kind: Primitive;
  logicalType: string | null;
  attributes: JsonObject | null;
}

export interface RecordType {
  kind: 'record';
  name: string;
  fields: readonly AvroField[];
  attributes: JsonObject;
}

export interface AvroField {
  name: string;
  type: AvroType;
  attributes: JsonObject;
}

export type Primitive = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string';
export type JsonObject = Readonly<Record<string, unknown>>;
