import type { ColumnBatch, StoredType } from '../core/index.ts';
import { alwaysValued, type ColumnTarget, type Plan, type PlanNode, type Target } from './plan.ts';
import * as values from './read-values.ts';
import { symbolBytes } from './symbol-bytes.ts';
import { NS_PER_UNIT } from './time-units.ts';

/** Appends the points of a checked record and returns the bytes of texts that they repeat; see CompiledSchema.decode. */
export type DecodeFunction = (
  bytes: Uint8Array,
  start: number,
  into: ColumnBatch,
  device: string,
  arrivalMs: number,
  position: number,
) => number;

/** Whether column i has a value in row r. */
const PRESENT: Readonly<Record<StoredType, (i: number) => string>> = {
  float: (i) => `a${i}[r] === a${i}[r]`,
  integer: (i) => `q${i}[r] === 1`,
  boolean: (i) => `a${i}[r] !== 2`,
  string: (i) => `a${i}[r] !== null`,
};

type Leaf = Extract<PlanNode, { kind: 'leaf' }>;

/**
 * Writes the decoder of one schema. The frame's values go to the first row of the frame and are repeated
 * downwards at the end; a column is known by its number alone (see generate-check.ts).
 */
export function generateDecode(plan: Plan): DecodeFunction {
  const writer = new DecodeWriter(plan);
  writer.node(plan.root);
  const frameColumns = plan.columnLevels.flatMap((level, index) => (level === 'frame' ? [index] : []));
  const source = `'use strict';
const { block, words, viewOf, readLong, skipLong, skipBytes, readBlock, readText, wordsAsText, floatAsText, doubleAsText,
  scaleWords, receiptWords, fillTime, repeatValue,
  withoutEmptyRows, finishRows } = values;
return function decode(b, p, into, device, arrivalMs, position) {
const view = viewOf(b), o = b.byteOffset, columns = into.columns, base = into.rows;
into.reserve(1);
let row = base, n = ${plan.hasReadings ? 0 : 1}, t = 0, x = 0, frameText = 0, symbolText = 0;
let timed = false, timeLow = 0, timeHigh = 0, times = into.timeWords, untimed = false;
${writer.declarations()}
${writer.bind('frame')}
${writer.lines.join('\n')}
if (timed) { words[0] = timeLow; words[1] = timeHigh; } else receiptWords(arrivalMs, position);
${
  plan.timeLevels.has('reading')
    ? 'if (untimed) fillTime(into.timeWords, base, base + n, true);'
    : 'fillTime(into.timeWords, base, base + n, false);'
}
if (n > 1) {
${frameColumns.map((index) => `repeatValue(columns[${index}], base, base + n);`).join('\n')}
}
${writer.emptyRows()}
finishRows(into, n, device, position);
return symbolText + frameText * n;
};`;
  // Code by hand-written templates and integers only: see the test with hostile names.
  // oxlint-disable-next-line typescript/no-implied-eval
  const make = new Function('values', 'memories', 'symbols', 'lengths', source) as (
    ...parts: unknown[]
  ) => DecodeFunction;
  return make(values, writer.memories, writer.symbols, writer.lengths);
}

class DecodeWriter {
  readonly lines: string[] = [];
  readonly memories: values.TextMemory[] = [];
  readonly symbols: (readonly string[])[] = [];
  /** Bytes of each of the symbols. */
  readonly lengths: (readonly number[])[] = [];
  readonly #plan: Plan;
  #loops = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  /** Column i has its values in a_i; of integers w_i are the halves and q_i what is present. */
  declarations(): string {
    const names = this.#plan.mapping.columns.map(({ type }, i) =>
      type === 'integer' ? `w${i}, q${i}` : `a${i}`,
    );
    return names.length === 0 ? '' : `let ${names.join(', ')};`;
  }

  /** Takes up a level's arrays: at the start, and again whenever the batch may have grown. */
  bind(level: 'frame' | 'reading'): string {
    return this.#plan.mapping.columns
      .flatMap(({ type }, i) => {
        if (this.#plan.columnLevels[i] !== level) return [];
        const column = `columns[${i}]`;
        return type === 'integer'
          ? `w${i} = ${column}.words; q${i} = ${column}.present;`
          : `a${i} = ${column}.values;`;
      })
      .join('\n');
  }

  /** A point needs a field: rows without any are taken out. A look at each, unless the schema says that there are none. */
  emptyRows(): string {
    if (alwaysValued(this.#plan.root)) return '';
    const present = this.#plan.mapping.columns.flatMap(({ role, type }, i) =>
      role === 'field' ? [PRESENT[type](i)] : [],
    );
    return `for (let r = base, end = base + n; r < end; r++) {
if (${present.join(' || ')}) continue;
n = withoutEmptyRows(into, base, n);
break;
}`;
  }

  node(node: PlanNode): void {
    switch (node.kind) {
      case 'leaf':
        return this.#leaf(node);
      case 'record':
        for (const field of node.fields) this.node(field);
        return;
      case 'union':
        return this.#union(node.branches);
      case 'array':
        if (node.readings) return this.#readings(node.item);
        return this.#passOver(() => this.node(node.item));
      case 'map':
        return this.#passOver(() => {
          this.#emit('p = skipBytes(b, p);');
          this.node(node.value);
        });
    }
  }

  #emit(line: string): void {
    this.lines.push(line);
  }

  #leaf(leaf: Leaf): void {
    const { target } = leaf;
    if (target.to === 'time') return this.#time(target);
    if (target.to === 'column') return this.#column(leaf, target);
    switch (leaf.type.name) {
      case 'null':
        return;
      case 'boolean':
        return this.#emit('p++;');
      case 'int':
      case 'long':
      case 'enum':
        return this.#emit('p = skipLong(b, p);');
      case 'float':
        return this.#emit('p += 4;');
      case 'double':
        return this.#emit('p += 8;');
      case 'bytes':
      case 'string':
        return this.#emit('p = skipBytes(b, p);');
      case 'fixed':
        return this.#emit(`p += ${leaf.type.size};`);
    }
  }

  #time({ unit, level }: Extract<Target, { to: 'time' }>): void {
    this.#emit(`p = readLong(b, p); scaleWords(${NS_PER_UNIT[unit]});`);
    if (level === 'reading') this.#emit('times[row * 2] = words[0]; times[row * 2 + 1] = words[1];');
    else this.#emit('timed = true; timeLow = words[0]; timeHigh = words[1];');
  }

  #column({ type }: Leaf, { index, role, level }: ColumnTarget): void {
    const at = level === 'frame' ? 'base' : 'row';
    const put = (value: string): void => this.#emit(`a${index}[${at}] = ${value};`);
    const tag = role === 'tag';
    switch (type.name) {
      case 'boolean':
        return put(tag ? `b[p++] === 1 ? 'true' : 'false'` : 'b[p++]');
      case 'int':
      case 'long':
        if (tag) {
          this.#emit('p = readLong(b, p);');
          return put('wordsAsText()');
        }
        // Most integers are small: one byte holds -64 to 63.
        this.#emit(`if ((x = b[p]) < 128) { p++; t = -(x & 1); x = (x >>> 1) ^ t; }`);
        this.#emit(`else { p = readLong(b, p); x = words[0]; t = words[1]; }`);
        return this.#emit(`w${index}[${at} * 2] = x; w${index}[${at} * 2 + 1] = t; q${index}[${at}] = 1;`);
      case 'float':
        put(tag ? 'floatAsText(view.getFloat32(o + p, true))' : 'view.getFloat32(o + p, true)');
        return this.#emit('p += 4;');
      case 'double':
        put(tag ? 'doubleAsText(view.getFloat64(o + p, true))' : 'view.getFloat64(o + p, true)');
        return this.#emit('p += 8;');
      case 'string': {
        const memory = this.memories.push(new values.TextMemory()) - 1;
        this.#emit(`p = readText(b, p, memories[${memory}]);`);
        if (level === 'frame') this.#emit('frameText += words[0];');
        // Line protocol has no empty tag, so in every store it is a missing one.
        return put(tag ? `memories[${memory}].text || null` : `memories[${memory}].text`);
      }
      case 'enum': {
        const list = this.symbols.push(type.symbols) - 1;
        this.lengths.push(symbolBytes(type.symbols).each);
        const text = level === 'frame' ? 'frameText' : 'symbolText';
        this.#emit(`p = readLong(b, p); ${text} += lengths[${list}][words[0]];`);
        return put(`symbols[${list}][words[0]]`);
      }
      case 'null':
      case 'bytes':
      case 'fixed':
        throw new TypeError(`${type.name} has no column`);
    }
  }

  /** What stands in the columns under a node when it is null. */
  #missing(node: PlanNode): void {
    switch (node.kind) {
      case 'record':
        for (const field of node.fields) this.#missing(field);
        return;
      case 'union':
        for (const branch of node.branches) this.#missing(branch);
        return;
      case 'array':
      case 'map':
        return;
      case 'leaf': {
        const { target } = node;
        if (target.to === 'time' && target.level === 'reading') {
          this.#emit('times[row * 2 + 1] = -1; untimed = true;');
        }
        if (target.to !== 'column') return;
        const { index, level } = target;
        const at = level === 'frame' ? 'base' : 'row';
        const type = this.#plan.mapping.columns[index]?.type;
        if (type === 'integer') {
          this.#emit(`w${index}[${at} * 2] = 0; w${index}[${at} * 2 + 1] = 0; q${index}[${at}] = 0;`);
        } else {
          const value = type === 'float' ? 'NaN' : type === 'boolean' ? '2' : 'null';
          this.#emit(`a${index}[${at}] = ${value};`);
        }
      }
    }
  }

  #union(branches: readonly PlanNode[]): void {
    // The guard took only indexes in their shortest form: below 64 branches that is one byte.
    const short = branches.length <= 64;
    if (!short) this.#emit('p = readLong(b, p);');
    this.#emit(short ? 'switch (b[p++] >> 1) {' : 'switch (words[0]) {');
    for (const [index, branch] of branches.entries()) {
      this.#emit(`case ${index}: {`);
      this.node(branch);
      for (const other of branches) if (other !== branch) this.#missing(other);
      this.#emit('break; }');
    }
    this.#emit('}');
  }

  #readings(item: PlanNode): void {
    this.#emit('for (;;) {');
    this.#emit('p = readBlock(b, p);');
    this.#emit('const count = block[0];');
    this.#emit('if (count === 0) break;');
    this.#emit('into.reserve(n + count);');
    this.#emit('times = into.timeWords;');
    this.#emit(this.bind('reading'));
    // The frame's arrays may have moved too, and fields behind the readings still write to them.
    this.#emit(this.bind('frame'));
    this.#emit('for (let i = 0; i < count; i++, row++) {');
    this.node(item);
    this.#emit('}');
    this.#emit('n += count;');
    this.#emit('}');
  }

  #passOver(item: () => void): void {
    const n = this.#loops++;
    this.#emit('for (;;) {');
    this.#emit('p = readBlock(b, p);');
    this.#emit(`const count${n} = block[0];`);
    this.#emit(`if (count${n} === 0) break;`);
    this.#emit(`for (let i${n} = 0; i${n} < count${n}; i${n}++) {`);
    item();
    this.#emit('}');
    this.#emit('}');
  }
}
