import type { Mapping, MillraceError } from '../core/index.ts';

/** Where a value goes. `time` carries the unit that the logical type says. */
export type Target =
  | { to: 'nothing' }
  | { to: 'device' }
  | { to: 'time'; unit: TimeUnit; level: Level }
  | { to: 'column'; index: number; role: 'tag' | 'field'; level: Level };

export type ColumnTarget = Extract<Target, { to: 'column' }>;

export type TimeUnit = 'ms' | 'us' | 'ns';

/**
 * A schema expanded for reading: every reference replaced by what it names, every leaf with its target.
 * `path` names the field in errors, `readings` the item level by `[]`.
 */
export type PlanNode =
  | { kind: 'leaf'; type: LeafType; path: string; target: Target }
  | { kind: 'record'; fields: readonly PlanNode[] }
  | { kind: 'union'; branches: readonly PlanNode[]; path: string }
  | { kind: 'array'; item: PlanNode; path: string; readings: boolean }
  | { kind: 'map'; value: PlanNode; path: string };

export type LeafType =
  | { name: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string' }
  | { name: 'enum'; symbols: readonly string[] }
  | { name: 'fixed'; size: number };

export interface Plan {
  mapping: Mapping;
  /** Always a record. */
  root: PlanNode;
  /** For each column whether it stands in the frame or in the reading. */
  columnLevels: readonly Level[];
  /** Whether the frame, or the reading, has a field of its own for the time. */
  timeLevels: ReadonlySet<Level>;
  /** Whether the schema has readings. Without them a record is one point. */
  hasReadings: boolean;
  /** Why it may not be registered as a new schema; null where it may. */
  objection: MillraceError | null;
}

export type Level = 'frame' | 'reading';

/** The fewest bytes that a value takes. Zero only for what never takes any. */
export function minBytes(node: PlanNode): number {
  switch (node.kind) {
    case 'leaf':
      switch (node.type.name) {
        case 'null':
          return 0;
        case 'float':
          return 4;
        case 'double':
          return 8;
        case 'fixed':
          return node.type.size;
        case 'boolean':
        case 'int':
        case 'long':
        case 'bytes':
        case 'string':
        case 'enum':
          return 1;
      }
    case 'record':
      return node.fields.reduce((sum, field) => sum + minBytes(field), 0);
    case 'union':
      // Every branch begins with its index.
      return 1 + Math.min(...node.branches.map(minBytes));
    case 'array':
    case 'map':
      return 1;
  }
}

/** Whether each point surely has a time from the record: some time of its levels is not optional. */
export function alwaysTimed(node: PlanNode): boolean {
  switch (node.kind) {
    case 'leaf':
      return node.target.to === 'time';
    case 'record':
      return node.fields.some(alwaysTimed);
    case 'array':
      return node.readings && alwaysTimed(node.item);
    case 'union':
    case 'map':
      return false;
  }
}

/** Whether each point surely has a value of some field: one that is not optional and no float, which may be NaN. */
export function alwaysValued(node: PlanNode): boolean {
  switch (node.kind) {
    case 'leaf': {
      const { target, type } = node;
      const isField = target.to === 'column' && target.role === 'field';
      return isField && type.name !== 'float' && type.name !== 'double';
    }
    case 'record':
      return node.fields.some(alwaysValued);
    case 'array':
      return node.readings && alwaysValued(node.item);
    case 'union':
    case 'map':
      return false;
  }
}

/**
 * What decides how bytes become points, as text to compare: two schemas of one fingerprint may differ in
 * docs, units and defaults, but not in this. The fingerprint tells names and symbols, which would make it long.
 */
export function shapeOf(plan: Plan): string {
  const { measurement, columns } = plan.mapping;
  return JSON.stringify(
    [measurement, columns.map(({ name, role, type, float32 }) => [name, role, type, float32]), plan.root],
    (key, value: unknown) => (key === 'path' || key === 'symbols' ? undefined : value),
  );
}
