import { LIMITS, MillraceError, type ColumnDef, type StoredType } from '../core/index.ts';
import type { AvroField, AvroType, JsonObject, RecordType } from './avro-types.ts';
import { misplacedIn } from './misplaced.ts';
import { shortened, snakeCase } from './names.ts';
import {
  minBytes,
  type ColumnTarget,
  type LeafType,
  type Level,
  type Plan,
  type PlanNode,
  type Target,
} from './plan.ts';
import { tagRoom } from './tag-room.ts';
import { TIME_UNITS } from './time-units.ts';

type Role = 'tag' | 'field' | 'time' | 'ignore';

/** What every store can name. A leading underscore is reserved in InfluxDB. */
const MEASUREMENT = /^[A-Za-z][A-Za-z0-9_.-]{0,127}$/;

/**
 * How a record schema becomes time series. Throws `schema_unmappable` with the field's path and the reason; where frames
 * can be read and the schema is only not to be registered any more, the plan has that as its objection.
 */
export function mapSchema(type: AvroType): Plan {
  if (type.kind !== 'record') throw unmappable('', `a frame is a record, not ${article(type.kind)}`);
  return new Mapper().map(type);
}

/** A column found on the way, before tags and fields are put in order. */
interface Found {
  def: ColumnDef;
  level: Level;
  path: string;
  target: ColumnTarget;
}

/** Where the walk is: the path for messages, the prefix of flattened names, and the level. */
interface Place {
  path: string;
  prefix: string;
  level: Level;
  depth: number;
}

/** Tags before fields, each the frame's before the reading's. */
function columnRank({ def, level }: Found): number {
  return (def.role === 'tag' ? 0 : 2) + (level === 'frame' ? 0 : 1);
}

class Mapper {
  readonly #found: Found[] = [];
  readonly #timePath = new Map<Level, string>();
  readonly #open: RecordType[] = [];
  readonly #checkedEnums = new Set<AvroType>();
  #readingsPath: string | null = null;
  #readingBytes = 0;
  #objection: MillraceError | null = null;
  #fields = 0;

  map(record: RecordType): Plan {
    const measurement = measurementOf(record);
    const root = this.#record(record, { path: '', prefix: '', level: 'frame', depth: 0 });
    this.#refuseEqualNames();
    const ordered = [...this.#found].sort((a, b) => columnRank(a) - columnRank(b));
    for (const [index, { target }] of ordered.entries()) target.index = index;
    if (!ordered.some(({ def }) => def.role === 'field')) {
      throw unmappable('', 'the record has no number, boolean or other field to store, only tags or nothing');
    }
    if ('role' in record.attributes) this.#object('', 'the record of a frame takes no "role"');
    this.#objectToReadings();
    const plan = {
      mapping: { measurement, doc: textOf(record.attributes, 'doc'), columns: ordered.map(({ def }) => def) },
      root,
      columnLevels: ordered.map(({ level }) => level),
      timeLevels: new Set(this.#timePath.keys()),
      hasReadings: this.#readingsPath !== null,
    };
    if (tagRoom(plan) < 0)
      this.#object('', 'the names of its tags are longer than the key of a series may be');
    return { ...plan, objection: this.#objection };
  }

  /** The first reason speaks: it is the most special. */
  #object(path: string, reason: string): void {
    this.#objection ??= unmappable(path, reason);
  }

  #objectToReadings(): void {
    if (this.#readingsPath === null) return;
    if (this.#timePath.size === 0) {
      this.#object(
        this.#readingsPath,
        'neither the readings nor the frame have a time, so that readings of one frame would overwrite each other: ' +
          'give either a long of logicalType timestamp-millis, -micros or -nanos',
      );
    }
    if (this.#readingBytes === 0) {
      this.#object(
        this.#readingsPath,
        'a reading takes no bytes, so that a frame could claim any number of them',
      );
    }
  }

  #record(record: RecordType, place: Place): PlanNode {
    if (this.#open.includes(record)) throw unmappable(place.path, `${record.name} contains itself`);
    if (place.depth >= LIMITS.maxSchemaDepth) {
      throw unmappable(place.path, `records are nested more than ${LIMITS.maxSchemaDepth} deep`);
    }
    this.#open.push(record);
    const fields = record.fields.map((field) => this.#field(field, place));
    this.#open.pop();
    return { kind: 'record', fields };
  }

  #field(field: AvroField, outer: Place): PlanNode {
    const path = outer.path === '' ? field.name : `${outer.path}.${field.name}`;
    const place = { ...outer, path, depth: outer.depth + 1 };
    const role = roleOf(field.attributes, path);
    if (role === 'ignore') return this.#ignored(field.type, place);
    this.#count(path);
    const { type, wrap } = optional(field.type, path);
    const misplaced = misplacedIn(field.attributes, type, role === null || role === 'time');
    if (misplaced !== null) this.#object(path, misplaced);
    switch (type.kind) {
      case 'record': {
        if (role !== null) throw unmappable(path, `a record takes no role but "ignore", not "${role}"`);
        const inner = this.#record(type, { ...place, prefix: `${place.prefix}${field.name}_` });
        return wrap(inner);
      }
      case 'array':
        return wrap(this.#readings(type.items, role, place));
      case 'map':
        throw unmappable(path, 'a map has no fixed set of series: use a record, or "role": "ignore"');
      case 'bytes':
      case 'fixed':
        throw unmappable(path, `${type.kind} has no form as a time series: give it "role": "ignore"`);
      case 'union':
        throw unmappable(path, 'a union of several types has no single column: only null and one type');
      case 'null':
        return wrap({ kind: 'leaf', type: { name: 'null' }, path, target: { to: 'nothing' } });
      case 'enum':
        this.#checkSymbols(type, path);
        return wrap(this.#leaf({ name: 'enum', symbols: type.symbols }, 'string', null, field, role, place));
      case 'boolean':
      case 'string':
        return wrap(this.#leaf({ name: type.kind }, type.kind, null, field, role, place));
      case 'int':
        return wrap(this.#leaf({ name: 'int' }, 'integer', null, field, role, place));
      case 'long':
        return wrap(this.#leaf({ name: 'long' }, 'integer', type.logicalType, field, role, place));
      case 'float':
      case 'double':
        return wrap(this.#leaf({ name: type.kind }, 'float', null, field, role, place));
    }
  }

  #readings(items: AvroType, role: Role | null, place: Place): PlanNode {
    const { path } = place;
    if (role !== null) throw unmappable(path, `an array takes no role but "ignore", not "${role}"`);
    if (items.kind !== 'record') {
      throw unmappable(path, `an array of ${items.kind} has no form as points: use an array of records`);
    }
    if (this.#readingsPath !== null) {
      throw unmappable(path, `two arrays of records, this and ${this.#readingsPath}: a frame has one`);
    }
    if (this.#open.length !== 1)
      throw unmappable(path, 'the array of readings must be a field of the frame itself');
    this.#readingsPath = path;
    const item = this.#record(items, { path: `${path}[]`, prefix: '', level: 'reading', depth: place.depth });
    this.#readingBytes = minBytes(item);
    return { kind: 'array', item, path, readings: true };
  }

  #leaf(
    type: LeafType,
    stored: StoredType,
    logicalType: string | null,
    field: AvroField,
    role: Role | null,
    place: Place,
  ): PlanNode {
    const target = this.#target(type, stored, logicalType, field, role, place);
    return { kind: 'leaf', type, path: place.path, target };
  }

  #target(
    type: LeafType,
    stored: StoredType,
    logicalType: string | null,
    field: AvroField,
    role: Role | null,
    { path, prefix, level }: Place,
  ): Target {
    const unit = logicalType === null ? undefined : TIME_UNITS.get(logicalType);
    if (role === 'time' || (role === null && unit !== undefined)) {
      if (unit === undefined) {
        throw unmappable(path, 'a time is a long of logicalType timestamp-millis, -micros or -nanos');
      }
      const other = this.#timePath.get(level);
      if (other !== undefined) {
        throw unmappable(
          path,
          `two times at one level, this and ${other}: give one "role": "field" or "ignore"`,
        );
      }
      this.#timePath.set(level, path);
      return { to: 'time', unit, level };
    }
    // The frame's own `device` names the sender, which the connection knows already.
    if (type.name === 'string' && (path === 'device' || path === 'device_id')) {
      if (role === null || (role === 'tag' && path === 'device')) return { to: 'device' };
      throw unmappable(
        path,
        `the frame's ${path} is compared with the connection's device: no role but "ignore"`,
      );
    }
    const columnRole = role === 'tag' || role === 'field' ? role : stored === 'string' ? 'tag' : 'field';
    const target: ColumnTarget = { to: 'column', index: -1, role: columnRole, level };
    this.#found.push({
      def: {
        name: `${prefix}${field.name}`,
        role: columnRole,
        type: columnRole === 'tag' ? 'string' : stored,
        float32: type.name === 'float' && columnRole === 'field',
        unit: textOf(field.attributes, 'unit'),
        doc: textOf(field.attributes, 'doc'),
      },
      level,
      path,
      target,
    });
    return target;
  }

  /** A value that is passed over still has to be read, whatever its type. */
  #ignored(type: AvroType, place: Place): PlanNode {
    const { path } = place;
    if (place.depth > LIMITS.maxSchemaDepth) {
      throw unmappable(path, `types are nested more than ${LIMITS.maxSchemaDepth} deep`);
    }
    const inner = { ...place, depth: place.depth + 1 };
    const leaf = (leafType: LeafType): PlanNode => ({
      kind: 'leaf',
      type: leafType,
      path,
      target: { to: 'nothing' },
    });
    this.#count(path);
    switch (type.kind) {
      case 'record': {
        if (this.#open.includes(type)) throw unmappable(path, `${type.name} contains itself`);
        this.#open.push(type);
        const fields = type.fields.map((field) =>
          this.#ignored(field.type, { ...inner, path: `${path}.${field.name}` }),
        );
        this.#open.pop();
        return { kind: 'record', fields };
      }
      case 'array':
        return { kind: 'array', item: this.#ignored(type.items, inner), path, readings: false };
      case 'map':
        return { kind: 'map', value: this.#ignored(type.values, inner), path };
      case 'union':
        return { kind: 'union', branches: type.branches.map((branch) => this.#ignored(branch, inner)), path };
      case 'enum':
        return leaf({ name: 'enum', symbols: type.symbols });
      case 'fixed':
        return leaf({ name: 'fixed', size: type.size });
      case 'null':
      case 'boolean':
      case 'int':
      case 'long':
      case 'float':
      case 'double':
      case 'bytes':
      case 'string':
        return leaf({ name: type.kind });
    }
  }

  /** Each may become the value of a tag. Once for a type, which many fields may share. */
  #checkSymbols(type: Extract<AvroType, { kind: 'enum' }>, path: string): void {
    if (this.#checkedEnums.has(type)) return;
    this.#checkedEnums.add(type);
    if (type.symbols.some((symbol) => symbol.length > LIMITS.maxStringBytes)) {
      throw unmappable(path, `a symbol is longer than ${LIMITS.maxStringBytes} characters`);
    }
  }

  /** Counts fields as they are expanded: a few named records can stand for millions. */
  #count(path: string): void {
    if (path.length > LIMITS.maxSchemaPathChars) {
      throw unmappable(path, `the names on the way to it are over ${LIMITS.maxSchemaPathChars} characters`);
    }
    if (++this.#fields > LIMITS.maxSchemaFields) {
      throw unmappable(
        path,
        `the schema has more than ${LIMITS.maxSchemaFields} fields, nested ones included`,
      );
    }
  }

  #refuseEqualNames(): void {
    const paths = new Map<string, string>();
    for (const { def, path } of this.#found) {
      // DuckDB does not tell upper from lower case in names.
      const name = def.name.toLowerCase();
      if (name === 'time') {
        throw unmappable(
          path,
          'the column "time" is for the time: a long of logicalType timestamp-millis, -micros or -nanos',
        );
      }
      if (name === 'device') throw unmappable(path, 'the tag "device" is always the connection\'s device');
      if (name.startsWith('_'))
        throw unmappable(path, 'a name may not begin with an underscore: stores reserve it');
      if (name.length > 128) throw unmappable(path, 'the name is longer than 128 characters');
      const other = paths.get(name);
      if (other !== undefined) throw unmappable(path, `flattens to the same name as ${other}: "${def.name}"`);
      paths.set(name, path);
    }
  }
}

/** Takes null out of a union of null and one type. `wrap` puts the union back around the plan of the type. */
function optional(type: AvroType, path: string): { type: AvroType; wrap: (inner: PlanNode) => PlanNode } {
  if (type.kind !== 'union') return { type, wrap: (inner) => inner };
  const values = type.branches.filter((branch) => branch.kind !== 'null');
  const value = values[0] ?? type.branches[0];
  if (value === undefined) throw unmappable(path, 'an empty union holds no value');
  if (values.length > 1) return { type, wrap: (inner) => inner };
  const wrap = (inner: PlanNode): PlanNode => ({
    kind: 'union',
    path,
    branches: type.branches.map((branch) =>
      branch === value ? inner : { kind: 'leaf', type: { name: 'null' }, path, target: { to: 'nothing' } },
    ),
  });
  return { type: value, wrap };
}

function measurementOf(record: RecordType): string {
  const given = record.attributes['measurement'];
  if (given !== undefined && typeof given !== 'string') {
    throw unmappable('', 'the attribute "measurement" must be a string');
  }
  const name = given ?? snakeCase(record.name.slice(record.name.lastIndexOf('.') + 1));
  if (!MEASUREMENT.test(name)) {
    throw unmappable('', `the measurement "${name.slice(0, 140)}" must match ${MEASUREMENT.source}`);
  }
  return name;
}

function roleOf(attributes: JsonObject, path: string): Role | null {
  const role = attributes['role'];
  if (role === undefined) return null;
  if (role === 'tag' || role === 'field' || role === 'time' || role === 'ignore') return role;
  throw unmappable(path, 'the attribute "role" is one of "tag", "field", "time", "ignore"');
}

function textOf(attributes: JsonObject, name: 'doc' | 'unit'): string | null {
  const text = attributes[name];
  return typeof text === 'string' ? text : null;
}

function article(kind: string): string {
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}

function unmappable(fullPath: string, reason: string): MillraceError {
  const path = shortened(fullPath);
  return new MillraceError('schema_unmappable', path === '' ? reason : `${path}: ${reason}`, { path });
}
