/** An Avro schema with names resolved; `attributes` is the JSON object that it came from. */
export type AvroType =
  | { kind: Primitive; logicalType: string | null }
  | RecordType
  | { kind: 'enum'; name: string; symbols: readonly string[] }
  | { kind: 'fixed'; name: string; size: number }
  | { kind: 'array'; items: AvroType }
  | { kind: 'map'; values: AvroType }
  | { kind: 'union'; branches: readonly AvroType[] };

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
