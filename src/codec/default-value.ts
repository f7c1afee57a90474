import { LIMITS } from '../core/index.ts';
import type { AvroType } from './avro-types.ts';

/** Deep enough for a default of any schema that could be mapped. */
const MAX_DEPTH = 8 * LIMITS.maxSchemaDepth;

/**
 * Whether a field's default, as JSON, is of the type (Avro specification, "Complex Types: Records"). A
 * union's default belongs to its first branch; bytes and fixed are strings of code points below 256.
 */
export function jsonFits(json: unknown, type: AvroType): boolean {
  return new Comparison().fits(json, type, 0);
}

/** Ends with false for what is nested too deeply, or takes too long: a record may name itself, and have many fields. */
class Comparison {
  readonly #symbols = new Map<AvroType, ReadonlySet<string>>();
  #steps = 0;

  fits(json: unknown, type: AvroType, depth: number): boolean {
    if (depth > MAX_DEPTH || ++this.#steps > LIMITS.maxDefaultSteps) return false;
    const below = depth + 1;
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
        return typeof json === 'string' && this.#symbolsOf(type).has(json);
      case 'array':
        return Array.isArray(json) && json.every((item: unknown) => this.fits(item, type.items, below));
      case 'map':
        return isPlainObject(json) && Object.values(json).every((it) => this.fits(it, type.values, below));
      case 'union': {
        const first = type.branches[0];
        return first !== undefined && this.fits(json, first, below);
      }
      case 'record':
        return (
          isPlainObject(json) &&
          type.fields.every((field) => {
            if (Object.hasOwn(json, field.name)) return this.fits(json[field.name], field.type, below);
            return 'default' in field.attributes && ++this.#steps <= LIMITS.maxDefaultSteps;
          })
        );
    }
  }

  #symbolsOf(type: Extract<AvroType, { kind: 'enum' }>): ReadonlySet<string> {
    let symbols = this.#symbols.get(type);
    if (symbols === undefined) {
      symbols = new Set(type.symbols);
      this.#symbols.set(type, symbols);
    }
    return symbols;
  }
}

function isByteString(json: unknown): json is string {
  return typeof json === 'string' && !/[^\p{ASCII}\u0080-\u00ff]/u.test(json);
}

function isPlainObject(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}
