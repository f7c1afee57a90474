import { LIMITS } from '../core/index.ts';
import * as values from './check-values.ts';
import { alwaysTimed, minBytes, type Level, type Plan, type PlanNode, type Target } from './plan.ts';
import { REFUSED, refusal } from './refusal.ts';
import { symbolBytes } from './symbol-bytes.ts';
import { tagRoom } from './tag-room.ts';
import { timeReason } from './time-refusal.ts';
import { UNITS_PER_MS, unitOf } from './time-units.ts';

/** Returns the number of readings; throws the refusal. Every time lies from `earliestMs` to `latestMs`. */
export type CheckFunction = (
  bytes: Uint8Array,
  start: number,
  end: number,
  device: string,
  earliestMs: number,
  latestMs: number,
) => number;

/**
 * Writes the guard of one schema: straight code over the bytes, in which a field is known by its number
 * alone. Nothing of a schema's names or values gets into the source text.
 */
export function generateCheck(plan: Plan): CheckFunction {
  const { root, hasReadings } = plan;
  const writer = new CheckWriter(plan, false);
  writer.node(root);
  return compile(
    writer,
    `check(b, p, e, device, earliestMs, latestMs) {
let readings = ${hasReadings ? 0 : 1}, at = -1, t = 0, frameText = 0, symbols = 0;
let tags = 0, itemTags = 0, mostTags = 0, heaviest = -1, frameTimes = 0, readingTimes = 0;
${writer.lines.join('\n')}
if (p !== e) throw refuse(${REFUSED.trailing}, ${writer.path('')}, -1);
if (symbols + frameText * readings > ${LIMITS.maxRepeatedTextBytes}) throw refuse(${REFUSED.tooHeavy}, ${writer.path('')}, -1);
${writer.wholeFrame()}
return readings;
}`,
  ) as CheckFunction;
}

/** What bytes that form a record say of it, whatever the worth of its values. */
export interface FrameSurvey {
  readings: number;
  /** Whether every point has its time from the record. */
  timed: boolean;
}

export type SurveyFunction = (bytes: Uint8Array, start: number, end: number) => FrameSurvey;

/** The same walk without judging values: throws only where the bytes are no record of the schema. */
export function generateSurvey(plan: Plan): SurveyFunction {
  const { root, hasReadings } = plan;
  const writer = new CheckWriter(plan, true);
  writer.node(root);
  return compile(
    writer,
    `survey(b, p, e) {
let readings = ${hasReadings ? 0 : 1}, at = -1, t = 0, frameTimes = 0, readingTimes = 0;
${writer.lines.join('\n')}
if (p !== e) throw refuse(${REFUSED.trailing}, ${writer.path('')}, -1);
return { readings, timed: frameTimes > 0 || (readingTimes > 0 && readingTimes === readings) };
}`,
  ) as SurveyFunction;
}

function compile(writer: CheckWriter, body: string): unknown {
  const source = `'use strict';
const { checkLong, checkInt, checkTime, checkIndex, checkBytes, checkText, checkTag, checkDevice, checkBlock, words, block } = values;
return function ${body};`;
  const refuse = (number: number, path: number, reading: number): Error =>
    refusal(number, writer.paths[path] ?? '', reading);
  const refuseTime = (
    number: number,
    path: number,
    reading: number,
    bytes: Uint8Array,
    start: number,
    perMs: number,
    earliestMs: number,
    latestMs: number,
  ): Error => {
    if (number !== REFUSED.time) return refuse(number, path, reading);
    values.readLong(bytes, start);
    const reason = timeReason(values.wordsAsBigInt(), unitOf(perMs), earliestMs, latestMs);
    return refusal(number, writer.paths[path] ?? '', reading, reason);
  };
  // Code by hand-written templates and integers only: see the test with hostile names.
  // oxlint-disable-next-line typescript/no-implied-eval
  const make = new Function('values', 'refuse', 'refuseTime', 'lengths', source) as (
    ...parts: unknown[]
  ) => unknown;
  return make(values, refuse, refuseTime, writer.lengths);
}

class CheckWriter {
  readonly lines: string[] = [];
  readonly paths: string[] = [];
  /** Bytes of each symbol of the enums that are stored. */
  readonly lengths: (readonly number[])[] = [];
  readonly #numbers = new Map<string, number>();
  /** Only the form of the bytes counts, not the values. */
  readonly #formOnly: boolean;
  readonly #maxReadings: number;
  readonly #tagRoom: number;
  /** Frames may have several points without a time. */
  readonly #countsTimes: boolean;
  readonly #taggedLevels = new Set<Level>();
  #readingsPath = '';
  #loops = 0;

  constructor(plan: Plan, formOnly: boolean) {
    const { mapping } = plan;
    this.#formOnly = formOnly;
    this.#tagRoom = tagRoom(plan);
    this.#countsTimes = formOnly || (plan.hasReadings && !alwaysTimed(plan.root));
    const rows = Math.floor(LIMITS.maxCellsPerFrame / mapping.columns.length);
    this.#maxReadings = Math.min(LIMITS.maxReadingsPerFrame, rows);
  }

  path(path: string): number {
    let number = this.#numbers.get(path);
    if (number === undefined) {
      number = this.paths.push(path) - 1;
      this.#numbers.set(path, number);
    }
    return number;
  }

  /** What can only be said of a frame as a whole. */
  wholeFrame(): string {
    const checks: string[] = [];
    if (this.#taggedLevels.size > 0) {
      const path = this.path(this.#taggedLevels.has('reading') ? `${this.#readingsPath}[]` : '');
      checks.push(
        `if (tags + mostTags > ${this.#tagRoom}) throw refuse(${REFUSED.tags}, ${path}, heaviest);`,
      );
    }
    if (this.#countsTimes) {
      const path = this.path(this.#readingsPath);
      checks.push('if (frameTimes === 0 && readings - readingTimes > 1)');
      checks.push(`throw refuse(${REFUSED.untimed}, ${path}, -1);`);
    }
    return checks.join('\n');
  }

  node(node: PlanNode): void {
    switch (node.kind) {
      case 'leaf':
        return this.#leaf(node);
      case 'record':
        for (const field of node.fields) this.node(field);
        return;
      case 'union':
        return this.#union(node.branches, this.path(node.path));
      case 'array':
        if (node.readings) this.#readingsPath = node.path;
        return this.#blocks(node.path, minBytes(node.item), node.readings, () => this.#item(node));
      case 'map':
        return this.#blocks(node.path, 1 + minBytes(node.value), false, () => {
          this.#step(`checkText(b, p, e, ${values.TEXT_USE.ignored})`, this.path(node.path));
          this.node(node.value);
        });
    }
  }

  #item({ item, readings }: Extract<PlanNode, { kind: 'array' }>): void {
    const start = this.lines.length;
    this.node(item);
    if (!readings || !this.#taggedLevels.has('reading')) return;
    this.lines.splice(start, 0, 'itemTags = 0;');
    this.#emit('if (itemTags > mostTags) { mostTags = itemTags; heaviest = at; }');
  }

  #emit(line: string): void {
    this.lines.push(line);
  }

  #step(call: string, path: number): void {
    this.#emit(`if ((p = ${call}) < 0) throw refuse(p, ${path}, at);`);
  }

  #leaf({ type, target, path }: Extract<PlanNode, { kind: 'leaf' }>): void {
    const k = this.path(path);
    const truncated = `throw refuse(${REFUSED.truncated}, ${k}, at);`;
    const stored = target.to === 'column' && !this.#formOnly;
    switch (type.name) {
      case 'null':
        return;
      case 'boolean':
        this.#emit(`if (p >= e) ${truncated}`);
        this.#emit(`if (b[p++] > 1) throw refuse(${REFUSED.index}, ${k}, at);`);
        return;
      case 'int':
      case 'long':
        if (target.to === 'time' && this.#formOnly) {
          this.#step('checkLong(b, p, e)', k);
          this.#countTime(target.level);
          return;
        }
        if (target.to === 'time') {
          const unit = UNITS_PER_MS[target.unit];
          this.#emit(`if ((t = checkTime(b, p, e, ${unit}, earliestMs, latestMs)) < 0)`);
          this.#emit(`throw refuseTime(t, ${k}, at, b, p, ${unit}, earliestMs, latestMs);`);
          this.#emit('p = t;');
          this.#countTime(target.level);
          return;
        }
        this.#emit(`if (p < e && b[p] < 128) p++; else`);
        return this.#step(`${type.name === 'int' ? 'checkInt' : 'checkLong'}(b, p, e)`, k);
      case 'float':
        this.#emit(`if (p + 4 > e) ${truncated}`);
        if (stored)
          this.#infinity('b[p + 2] === 128 && (b[p + 3] & 127) === 127 && (b[p] | b[p + 1]) === 0', k);
        this.#emit('p += 4;');
        return;
      case 'double':
        this.#emit(`if (p + 8 > e) ${truncated}`);
        if (stored) {
          const mantissa = [0, 1, 2, 3, 4, 5].map((n) => `b[p + ${n}]`).join(' | ');
          this.#infinity(`b[p + 6] === 240 && (b[p + 7] & 127) === 127 && (${mantissa}) === 0`, k);
        }
        this.#emit('p += 8;');
        return;
      case 'bytes':
        return this.#step('checkBytes(b, p, e)', k);
      case 'string':
        if (this.#formOnly) return this.#step(`checkText(b, p, e, ${values.TEXT_USE.ignored})`, k);
        if (target.to === 'device') return this.#step('checkDevice(b, p, e, device)', k);
        if (target.to === 'column' && target.role === 'tag') this.#tag(target.level, k);
        else this.#step(`checkText(b, p, e, ${textUse(target)})`, k);
        if (isOfFrame(target)) this.#emit('frameText += words[0];');
        return;
      case 'enum': {
        this.#step(`checkIndex(b, p, e, ${type.symbols.length})`, k);
        if (!stored) return;
        const list = this.lengths.push(symbolBytes(type.symbols).each) - 1;
        this.#emit(`${isOfFrame(target) ? 'frameText' : 'symbols'} += lengths[${list}][words[0]];`);
        return;
      }
      case 'fixed':
        this.#emit(`if (${type.size} > e - p) ${truncated}`);
        this.#emit(`p += ${type.size};`);
    }
  }

  #countTime(level: Level): void {
    if (this.#countsTimes) this.#emit(level === 'frame' ? 'frameTimes++;' : 'readingTimes++;');
  }

  #tag(level: Level, path: number): void {
    this.#taggedLevels.add(level);
    this.#step('checkTag(b, p, e)', path);
    this.#emit(level === 'frame' ? 'tags += words[1];' : 'itemTags += words[1];');
  }

  #infinity(condition: string, path: number): void {
    this.#emit(`if (${condition}) throw refuse(${REFUSED.infinite}, ${path}, at);`);
  }

  #union(branches: readonly PlanNode[], path: number): void {
    this.#emit(
      `if (p < e && (t = b[p]) < 128 && (t & 1) === 0 && t < ${branches.length * 2}) { p++; t >>= 1; }`,
    );
    this.#emit(`else if ((p = checkIndex(b, p, e, ${branches.length})) < 0) throw refuse(p, ${path}, at);`);
    this.#emit('else t = words[0];');
    this.#emit('switch (t) {');
    for (const [index, branch] of branches.entries()) {
      if (branch.kind === 'leaf' && branch.type.name === 'null') continue;
      this.#emit(`case ${index}: {`);
      this.node(branch);
      this.#emit('break; }');
    }
    this.#emit('}');
  }

  #blocks(path: string, itemBytes: number, readings: boolean, item: () => void): void {
    const k = this.path(path);
    const n = this.#loops++;
    if (readings) this.#emit('at = 0;');
    else this.#emit(`let all${n} = 0;`);
    this.#emit('for (;;) {');
    this.#step(`checkBlock(b, p, e, ${itemBytes})`, k);
    this.#emit(`const count${n} = block[0], end${n} = block[1];`);
    this.#emit(`if (count${n} === 0) break;`);
    const total = readings ? 'readings' : `all${n}`;
    // Bytes bound the items that have some; the rest, and readings, are bounded by number.
    if (readings || itemBytes === 0) {
      const most = readings ? this.#maxReadings : LIMITS.maxReadingsPerFrame;
      this.#emit(`if ((${total} += count${n}) > ${most})`);
      this.#emit(`throw refuse(${REFUSED.tooMany}, ${k}, -1);`);
    }
    if (itemBytes > 0) {
      this.#emit(`for (let i${n} = 0; i${n} < count${n}; i${n}++) {`);
      item();
      if (readings) this.#emit('at++;');
      this.#emit('}');
    }
    this.#emit(`if (end${n} >= 0 && p !== end${n}) throw refuse(${REFUSED.block}, ${k}, -1);`);
    this.#emit('}');
    if (readings) this.#emit('at = -1;');
  }
}

/** Whether a value stands once in the frame, and is stored with each of its readings. */
function isOfFrame(target: Target): boolean {
  return target.to === 'column' && target.level === 'frame';
}

function textUse(target: Target): number {
  return target.to === 'column' ? values.TEXT_USE.field : values.TEXT_USE.ignored;
}
