import avsc from 'avsc';
import * as fc from 'fast-check';

/** Longs as bigint over their whole range; avsc alone stops at 2^53. */
const LongType = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
});

/** The schema in avsc. Logical types do not change the encoding; with one, the registry's long is not used. */
export function avscType(schema: object): avsc.Type {
  const plain: unknown = JSON.parse(JSON.stringify(schema), (_key, value: unknown) => {
    return typeof value === 'object' && value !== null && 'logicalType' in value ? 'long' : value;
  });
  return avsc.Type.forSchema(plain as avsc.Schema, {
    registry: { long: LongType },
    wrapUnions: 'never',
  });
}

/** A value that the codec should give back, beside the one that avsc encodes. */
export interface Leaf {
  value: unknown;
  cell: unknown;
}

export const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
/** The time of receipt of the frame at a place of the journal, when it came at NOW_MS. */
export const receiptNs = (position: number): bigint => BigInt(NOW_MS) * 1_000_000n + BigInt(position);
const LATEST_NS = BigInt(NOW_MS + 86_400_000) * 1_000_000n;

interface Kind {
  type: unknown;
  role: string | undefined;
  leaf: fc.Arbitrary<Leaf>;
}

const same = (value: fc.Arbitrary<unknown>): fc.Arbitrary<Leaf> => value.map((v) => ({ value: v, cell: v }));
const finite32 = fc.float({ noNaN: false, noDefaultInfinity: true });
const finite64 = fc.double({ noNaN: false, noDefaultInfinity: true });
const number = (value: fc.Arbitrary<number>): fc.Arbitrary<Leaf> =>
  value.map((v) => ({ value: v, cell: Number.isNaN(v) ? null : v }));
const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const smallOrAnyInt = fc.oneof(fc.integer({ min: -70, max: 70 }), int);
const long = fc.oneof(
  fc.bigInt({ min: -70n, max: 70n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 31n, 2n ** 32n, -(2n ** 32n), 2n ** 53n + 1n),
);
/** What line protocol and generated code would take for their own. */
const special = fc.string({
  unit: fc.constantFrom('"', '\\', ',', '=', ' ', '\n', '\r', '\0', "'", 'é', 'i', '0'),
});
const text = fc
  .oneof({ weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 90 }) }, special)
  .filter((s) => !/\p{Surrogate}/u.test(s));
const tagText = text.filter((s) => !/[\n\0]/.test(s) && !s.endsWith('\\'));
const tag = tagText.map((v) => ({ value: v, cell: v === '' ? null : v }));

/** Every scalar that can be mapped, with and without a role. */
const kinds: readonly Kind[] = [
  { type: 'boolean', role: undefined, leaf: same(fc.boolean()) },
  { type: 'boolean', role: 'tag', leaf: fc.boolean().map((v) => ({ value: v, cell: String(v) })) },
  { type: 'int', role: undefined, leaf: smallOrAnyInt.map((v) => ({ value: v, cell: BigInt(v) })) },
  { type: 'int', role: 'tag', leaf: smallOrAnyInt.map((v) => ({ value: v, cell: String(v) })) },
  { type: 'long', role: undefined, leaf: same(long) },
  { type: 'long', role: 'tag', leaf: long.map((v) => ({ value: v, cell: String(v) })) },
  { type: { type: 'long', logicalType: 'timestamp-micros' }, role: 'field', leaf: same(long) },
  { type: 'float', role: undefined, leaf: number(finite32) },
  { type: 'double', role: undefined, leaf: number(finite64) },
  {
    type: 'double',
    role: 'tag',
    leaf: finite64.map((v) => ({ value: v, cell: Number.isNaN(v) ? null : String(v) })),
  },
  { type: 'string', role: undefined, leaf: tag },
  { type: 'string', role: 'field', leaf: same(text) },
];
const symbols = ['A', 'B', 'longer_symbol'];

export interface Place {
  kind: Kind | 'enum' | 'ignored' | 'time';
  nullable: 'no' | 'first' | 'last';
  nested: boolean;
}

const places = fc.array(
  fc.record<Place>({
    kind: fc.oneof(
      { arbitrary: fc.constantFrom<Kind>(...kinds), weight: 8 },
      { arbitrary: fc.constantFrom<'enum' | 'ignored'>('enum', 'ignored'), weight: 2 },
    ),
    nullable: fc.constantFrom('no', 'first', 'last'),
    nested: fc.boolean(),
  }),
  { maxLength: 7 },
);
const time = fc.option(
  fc.record({
    unit: fc.constantFrom('millis', 'micros', 'nanos'),
    nullable: fc.constantFrom<Place['nullable']>('no', 'first', 'last'),
    at: fc.nat(6),
  }),
  { nil: null },
);

const NS_PER: Record<string, bigint> = { millis: 1_000_000n, micros: 1_000n, nanos: 1n };
const ignoredType = { type: 'array', items: ['null', 'bytes', 'double'] };
const ignoredValue = fc.array(
  fc.oneof(
    fc.constant(null),
    fc.uint8Array({ maxLength: 5 }).map((b) => Buffer.from(b)),
    fc.double(),
  ),
  { maxLength: 4 },
);

/** One level (frame or reading): its fields, and values with the cells that they must give. */
interface LevelSchema {
  fields: object[];
  values: fc.Arbitrary<{
    value: Record<string, unknown>;
    cells: Record<string, unknown>;
    timeNs: bigint | null;
  }>;
}

function level(
  prefix: string,
  list: Place[],
  timeAt: { unit: string; nullable: string; at: number } | null,
): LevelSchema {
  const fields: object[] = [];
  const parts: fc.Arbitrary<{ value: object; cells: object; timeNs?: bigint | null }>[] = [];
  const add = (
    name: string,
    type: unknown,
    nullable: string,
    attributes: object,
    leaf: fc.Arbitrary<Leaf>,
    column: boolean,
  ) => {
    const union = nullable === 'first' ? ['null', type] : nullable === 'last' ? [type, 'null'] : type;
    fields.push({ name, type: union, ...(nullable === 'first' ? { default: null } : {}), ...attributes });
    const values = nullable === 'no' ? leaf : fc.oneof(leaf, fc.constant({ value: null, cell: null }));
    parts.push(
      values.map(({ value, cell }) => ({ value: { [name]: value }, cells: column ? { [name]: cell } : {} })),
    );
  };
  for (const [n, place] of list.entries()) {
    const name = `${prefix}${n}`;
    if (timeAt !== null && timeAt.at === n) pushTime();
    if (place.kind === 'ignored') {
      const leaf = ignoredValue.map((value) => ({ value, cell: null }));
      add(name, ignoredType, place.nullable, { role: 'ignore' }, leaf, false);
    } else if (place.kind === 'enum') {
      const leaf = fc.constantFrom(...symbols).map((s) => ({ value: s, cell: s }));
      add(name, { type: 'enum', name: `Enum_${name}`, symbols }, place.nullable, {}, leaf, true);
    } else if (place.kind !== 'time') {
      const { type, role, leaf } = place.kind;
      const attributes = role === undefined ? {} : { role };
      if (!place.nested) {
        add(name, type, place.nullable, attributes, leaf, true);
        continue;
      }
      // A nested record with the value and a second one; null of the whole is null of both.
      const record = {
        type: 'record',
        name: `Record_${name}`,
        fields: [
          { name: 'v', type, ...attributes },
          { name: 'w', type: ['null', 'int'] },
        ],
      };
      const union =
        place.nullable === 'first' ? ['null', record] : place.nullable === 'last' ? [record, 'null'] : record;
      fields.push({ name, type: union });
      const full = fc.tuple(leaf, fc.option(int, { nil: null })).map(([v, w]) => ({
        value: { [name]: { v: v.value, w } },
        cells: { [`${name}_v`]: v.cell, [`${name}_w`]: w === null ? null : BigInt(w) },
      }));
      const none = fc.constant({
        value: { [name]: null },
        cells: { [`${name}_v`]: null, [`${name}_w`]: null },
      });
      parts.push(place.nullable === 'no' ? full : fc.oneof(full, none));
    }
  }
  if (timeAt !== null && timeAt.at >= list.length) pushTime();

  function pushTime(): void {
    if (timeAt === null) return;
    const { unit, nullable } = timeAt;
    const ns = NS_PER[unit] ?? 1n;
    const type = { type: 'long', logicalType: `timestamp-${unit}` };
    fields.push({
      name: `${prefix}t`,
      type: nullable === 'first' ? ['null', type] : nullable === 'last' ? [type, 'null'] : type,
    });
    const full = fc
      .bigInt({ min: 0n, max: LATEST_NS / ns })
      .map((value) => ({ value: { [`${prefix}t`]: value }, cells: {}, timeNs: value * ns }));
    const none = fc.constant({ value: { [`${prefix}t`]: null }, cells: {}, timeNs: null });
    parts.push(nullable === 'no' ? full : fc.oneof(full, none));
  }

  return {
    fields,
    values: fc.tuple(...parts).map((found) => ({
      value: Object.assign({}, ...found.map(({ value }) => value)) as Record<string, unknown>,
      cells: Object.assign({}, ...found.map(({ cells }) => cells)) as Record<string, unknown>,
      timeNs: found.find(({ timeNs }) => timeNs !== undefined)?.timeNs ?? null,
    })),
  };
}

export interface Point {
  /** Null where it is the time of receipt. */
  timeNs: bigint | null;
  cells: Record<string, unknown>;
}

export interface RandomFrame {
  schema: object;
  value: object;
  points: Point[];
}

/** A schema of the mappable subset with several frames of it and the points that each must become. */
export const randomFrames: fc.Arbitrary<RandomFrame[]> = fc
  .record({
    before: places,
    after: places,
    item: fc.option(places, { nil: null }),
    frameTime: time,
    readingTime: time,
    /** Frames may have points without any field. */
    sparse: fc.boolean(),
  })
  .chain(({ before, after, item, frameTime, readingTime, sparse }) => {
    const head = level('a', before, frameTime);
    const tail = level('z', after, null);
    const reading = item === null ? null : level('r', item, readingTime);
    const always = { name: 'always', type: sparse ? ['null', 'boolean'] : 'boolean' };
    const fields = [...head.fields, always];
    if (reading !== null) {
      const items = { type: 'record', name: 'Item', fields: reading.fields };
      fields.push({ name: 'readings', type: { type: 'array', items } });
    }
    fields.push(...tail.fields);
    const schema = { type: 'record', name: 'Frame', fields };
    const readings = reading === null ? fc.constant(null) : fc.array(reading.values, { maxLength: 12 });
    const frame = fc.tuple(head.values, readings, tail.values).map(([first, rows, last]): RandomFrame => {
      const value = {
        ...first.value,
        always: sparse ? null : true,
        ...last.value,
        ...(rows === null ? {} : { readings: rows.map((r) => r.value) }),
      };
      const shared = { ...first.cells, always: sparse ? null : true, ...last.cells };
      const points = (rows ?? [{ cells: {}, timeNs: null }]).map((row) => ({
        timeNs: row.timeNs ?? first.timeNs,
        cells: { ...shared, ...row.cells },
      }));
      return { schema, value, points };
    });
    return fc.array(frame, { minLength: 1, maxLength: 4 });
  });
