import { LIMITS, MillraceError } from '../core/index.ts';
import type { AvroField, AvroType, JsonObject, Primitive, RecordType } from './avro-types.ts';
import { jsonFits } from './default-value.ts';
import { shortened } from './names.ts';

const PRIMITIVES: ReadonlySet<string> = new Set([
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'bytes',
  'string',
]);
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Deep enough for any schema that could be mapped; keeps hostile nesting off the stack. */
const MAX_NESTING = 4 * LIMITS.maxSchemaDepth;

/**
 * Parses a schema (Avro specification 1.11, "Schema Declaration"): names, namespaces, duplicates, symbols,
 * unions. `defaults` says whether default values are checked too: the project's own vectors hold wrong ones.
 * Throws `schema_invalid` with the place.
 */
export function parseAvroSchema(text: string, options: { defaults: boolean }): AvroType {
  if (Buffer.byteLength(text) > LIMITS.maxSchemaBytes) {
    throw new MillraceError('schema_invalid', `the schema is over ${LIMITS.maxSchemaBytes} bytes`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new MillraceError('schema_invalid', `the schema is not JSON: ${String(error)}`, { cause: error });
  }
  return new SchemaParser(options.defaults).type(json, '', { path: '', depth: 0 });
}

/** Where the parser is: the path of fields for messages, and how deep. */
interface ParserPlace {
  path: string;
  depth: number;
}

class SchemaParser {
  readonly #named = new Map<string, AvroType>();
  readonly #checkDefaults: boolean;

  constructor(checkDefaults: boolean) {
    this.#checkDefaults = checkDefaults;
  }

  type(json: unknown, namespace: string, place: ParserPlace): AvroType {
    if (place.depth > MAX_NESTING) throw invalid(place.path, 'the schema is nested too deeply');
    const inner = { path: place.path, depth: place.depth + 1 };
    if (typeof json === 'string') return this.#reference(json, namespace, place.path);
    if (Array.isArray(json)) return this.#union(json, namespace, inner);
    if (!isObject(json)) throw invalid(place.path, 'a type is a name, an object or an array of types');
    const type = json['type'];
    if (typeof type !== 'string') {
      if (type === undefined) throw invalid(place.path, 'the object has no "type"');
      return this.type(type, namespace, inner);
    }
    switch (type) {
      case 'record':
        return this.#record(json, namespace, inner);
      case 'enum':
        return this.#define(json, namespace, place.path, (name) => {
          const symbols = this.#symbols(json, place.path);
          return { kind: 'enum', name, symbols, attributes: json };
        });
      case 'fixed':
        return this.#define(json, namespace, place.path, (name) => {
          const size = json['size'];
          if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
            throw invalid(place.path, 'a fixed needs a "size" of 0 or more');
          }
          return { kind: 'fixed', name, size, attributes: json };
        });
      case 'array':
        return { kind: 'array', items: this.type(json['items'], namespace, inner) };
      case 'map':
        return { kind: 'map', values: this.type(json['values'], namespace, inner) };
      default: {
        const logicalType = json['logicalType'];
        if (!isPrimitive(type)) return this.#reference(type, namespace, place.path);
        return {
          kind: type,
          logicalType: typeof logicalType === 'string' ? logicalType : null,
          attributes: json,
        };
      }
    }
  }

  #reference(name: string, namespace: string, path: string): AvroType {
    if (isPrimitive(name)) return { kind: name, logicalType: null, attributes: null };
    const full = name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
    const type = this.#named.get(full);
    if (type === undefined) throw invalid(path, `the type ${quote(name)} is not defined`);
    return type;
  }

  #union(branches: readonly unknown[], namespace: string, place: ParserPlace): AvroType {
    const types = branches.map((branch) => this.type(branch, namespace, place));
    const seen = new Set<string>();
    for (const type of types) {
      if (type.kind === 'union') throw invalid(place.path, 'a union may not hold a union');
      const name = 'name' in type ? type.name : type.kind;
      if (seen.has(name)) throw invalid(place.path, `the union holds ${quote(name)} twice`);
      seen.add(name);
    }
    return { kind: 'union', branches: types };
  }

  #define(json: JsonObject, namespace: string, path: string, make: (name: string) => AvroType): AvroType {
    const name = this.#fullName(json, namespace, path);
    const type = make(name);
    this.#named.set(name, type);
    return type;
  }

  #record(json: JsonObject, namespace: string, place: ParserPlace): RecordType {
    const name = this.#fullName(json, namespace, place.path);
    const fields: AvroField[] = [];
    const record: RecordType = { kind: 'record', name, fields, attributes: json };
    // Known before its fields are read: they may name it.
    this.#named.set(name, record);
    const list = json['fields'];
    if (!Array.isArray(list)) throw invalid(place.path, 'a record needs an array of "fields"');
    const inside = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : '';
    const seen = new Set<string>();
    for (const field of list as unknown[]) {
      const fieldName = isObject(field) ? field['name'] : undefined;
      if (!isObject(field) || typeof fieldName !== 'string' || !NAME.test(fieldName)) {
        throw invalid(place.path, `a field needs a name that matches ${NAME.source}`);
      }
      const path = place.path === '' ? fieldName : `${place.path}.${fieldName}`;
      if (seen.has(fieldName)) throw invalid(path, 'the record has two fields of this name');
      seen.add(fieldName);
      const type = this.type(field['type'], inside, { path, depth: place.depth });
      fields.push({ name: fieldName, type, attributes: field });
      if (this.#checkDefaults && 'default' in field && !jsonFits(field['default'], type)) {
        throw invalid(path, 'the default value does not fit the type (of a union: its first branch)');
      }
    }
    return record;
  }

  #fullName(json: JsonObject, enclosing: string, path: string): string {
    const { name, namespace } = json;
    if (typeof name !== 'string') throw invalid(path, 'a record, enum or fixed needs a "name"');
    const within = typeof namespace === 'string' ? namespace : enclosing;
    const full = name.includes('.') || within === '' ? name : `${within}.${name}`;
    if (!full.split('.').every((part) => NAME.test(part)))
      throw invalid(path, `${quote(full)} is no Avro name`);
    if (isPrimitive(full)) throw invalid(path, `${quote(full)} is the name of a primitive type`);
    if (this.#named.has(full)) throw invalid(path, `the type ${quote(full)} is defined twice`);
    return full;
  }

  #symbols(json: JsonObject, path: string): string[] {
    const symbols: unknown = json['symbols'];
    if (!Array.isArray(symbols) || symbols.length === 0) throw invalid(path, 'an enum needs "symbols"');
    const seen = new Set<string>();
    for (const symbol of symbols as unknown[]) {
      if (typeof symbol !== 'string' || !NAME.test(symbol)) throw invalid(path, 'a symbol is no Avro name');
      if (seen.has(symbol)) throw invalid(path, `the symbol ${quote(symbol)} is there twice`);
      seen.add(symbol);
    }
    const fallback = json['default'];
    if (fallback !== undefined && !(typeof fallback === 'string' && seen.has(fallback))) {
      throw invalid(path, 'the default of the enum is none of its symbols');
    }
    return [...seen];
  }
}

function isPrimitive(name: string): name is Primitive {
  return PRIMITIVES.has(name);
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function quote(name: string): string {
  return JSON.stringify(shortened(name));
}

function invalid(fullPath: string, reason: string): MillraceError {
  const path = shortened(fullPath);
  return new MillraceError('schema_invalid', path === '' ? reason : `${path}: ${reason}`, { path });
}
