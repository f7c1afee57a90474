import type { Primitive, PrimitiveType } from './avro-types.ts';

/** How a primitive type is written in a canonical form. Everything else is alike in all of them. */
export type CanonicalForm = (type: PrimitiveType) => string;

/** The specification's: the name alone, whatever was said beside it. */
export const SPECIFIED: CanonicalForm = ({ kind }) => `"${kind}"`;

/** An object that says more than its type stays one: the library looks at it before it has stripped the rest. */
const keepsObjects: CanonicalForm = ({ kind, attributes }) =>
  attributes !== null && Object.keys(attributes).length > 1 ? object(kind) : `"${kind}"`;

/** The same, but logical types that the library does not know are taken away before. */
const keepsKnownObjects: CanonicalForm = (type) => {
  const { kind, logicalType, attributes } = type;
  if (isKnown(GOAVRO_LOGICAL_TYPES, kind, logicalType)) return object(kind);
  const others = Object.keys(attributes ?? {}).filter((name) => name !== 'logicalType');
  return others.length > 1 ? object(kind) : `"${kind}"`;
};

/** An object stays where it had a logical type: of all else the library has forgotten by then. */
const keepsLogicalObjects: CanonicalForm = ({ kind, logicalType }) =>
  isKnown(RUST_LOGICAL_TYPES, kind, logicalType) ? object(kind) : `"${kind}"`;

/** The logical type stays as well, where the library knows it. */
const keepsLogicalTypes: CanonicalForm = ({ kind, logicalType }) =>
  isKnown(HAMBA_LOGICAL_TYPES, kind, logicalType)
    ? `{"type":"${kind}","logicalType":"${logicalType}"}`
    : `"${kind}"`;

/** Libraries whose fingerprint differs from the specification's, with the version that was looked at. */
export type Library =
  'Python avro 1.12.2' | 'Go goavro 2.15.0' | 'Rust apache-avro 0.22.0' | 'Go hamba/avro 2.31.0';

/**
 * Logical types of bytes are left out: a field of them is stored nowhere, and each library writes their precision
 * differently.
 */
export const ALIAS_FORMS: readonly { library: Library; form: CanonicalForm }[] = [
  { library: 'Python avro 1.12.2', form: keepsObjects },
  { library: 'Go goavro 2.15.0', form: keepsKnownObjects },
  { library: 'Rust apache-avro 0.22.0', form: keepsLogicalObjects },
  { library: 'Go hamba/avro 2.31.0', form: keepsLogicalTypes },
];

type LogicalTypes = Readonly<Partial<Record<Primitive, readonly string[]>>>;

const HAMBA_LOGICAL_TYPES: LogicalTypes = {
  int: ['date', 'time-millis'],
  long: [
    'time-micros',
    'timestamp-millis',
    'timestamp-micros',
    'local-timestamp-millis',
    'local-timestamp-micros',
  ],
  string: ['uuid'],
};

const GOAVRO_LOGICAL_TYPES: LogicalTypes = {
  int: ['date', 'time-millis'],
  long: ['time-micros', 'timestamp-millis', 'timestamp-micros'],
};

const RUST_LOGICAL_TYPES: LogicalTypes = {
  ...HAMBA_LOGICAL_TYPES,
  long: [...(HAMBA_LOGICAL_TYPES.long ?? []), 'timestamp-nanos', 'local-timestamp-nanos'],
};

function object(kind: Primitive): string {
  return `{"type":"${kind}"}`;
}

function isKnown(known: LogicalTypes, kind: Primitive, logicalType: string | null): boolean {
  return logicalType !== null && known[kind]?.includes(logicalType) === true;
}
