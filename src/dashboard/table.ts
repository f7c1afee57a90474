import { byId, create, setText } from './dom.ts';
import {
  NOTHING,
  byName,
  digitsFor,
  formatAge,
  formatClock,
  formatCount,
  formatDigits,
  parseTimeMs,
} from './format.ts';
import type { JsonCell, Latest, MeasurementInfo } from './payloads.ts';

const MAX_ROWS = 50;
/** A device not heard of for this long is shown as old. */
const STALE_MS = 60_000;

interface Row {
  element: HTMLTableRowElement;
  cells: HTMLTableCellElement[];
}

/** The newest values of every device of one measurement. */
export class LatestTable {
  readonly #head = byId('latest-head', HTMLTableRowElement);
  readonly #body = byId('latest-body', HTMLTableSectionElement);
  readonly #note = byId('latest-note', HTMLElement);
  readonly #search = byId('latest-search', HTMLInputElement);
  readonly #region = byId('latest-region', HTMLElement);
  #rows = new Map<string, Row>();
  #shape = '';
  #shown: { latest: Latest; measurement: MeasurementInfo } | null = null;

  constructor() {
    this.#search.addEventListener('input', () => {
      if (this.#shown !== null) this.show(this.#shown.latest, this.#shown.measurement);
    });
  }

  /** Something other than values: that there are none yet, or why they cannot be read. */
  say(text: string): void {
    setText(this.#note, text);
  }

  clear(): void {
    this.#shown = null;
    this.#shape = '';
    this.#rows.clear();
    this.#head.replaceChildren();
    this.#body.replaceChildren();
    this.#region.hidden = true;
  }

  show(latest: Latest, measurement: MeasurementInfo): void {
    this.#shown = { latest, measurement };
    const order = columnOrder(latest.columns);
    const shape = JSON.stringify([measurement.name, latest.columns]);
    if (shape !== this.#shape) {
      this.clear();
      this.#shown = { latest, measurement };
      this.#shape = shape;
      this.#head.replaceChildren(...order.map((i) => heading(latest.columns[i] ?? '', measurement)));
    }
    const device = latest.columns.indexOf('device');
    const wanted = this.#search.value.trim().toLowerCase();
    const matching = latest.rows
      .filter((row) => String(row[device]).toLowerCase().includes(wanted))
      .sort((a, b) => byName(String(a[device]), String(b[device])));
    const digits = latest.columns.map((column, i) => digitsOf(column, i, latest.rows, measurement));
    const listed = matching.slice(0, MAX_ROWS);
    const before = this.#rows;
    this.#rows = new Map(
      listed.map((row) => {
        const name = String(row[device]);
        const existing = before.get(name) ?? newRow(order.length);
        fill(existing, row, order, latest.columns, digits);
        return [name, existing];
      }),
    );
    const elements = [...this.#rows.values()].map(({ element }) => element);
    if (
      elements.length !== this.#body.children.length ||
      elements.some((e, i) => e !== this.#body.children[i])
    ) {
      this.#body.replaceChildren(...elements);
    }
    this.#region.hidden = listed.length === 0;
    this.say(noteOf(latest.rows.length, matching.length, measurement.name));
  }
}

/** The device first, then its time, then the rest as it comes. */
function columnOrder(columns: readonly string[]): number[] {
  const first = [columns.indexOf('device'), columns.indexOf('time')];
  return [...first, ...columns.keys()].filter((i, at, all) => i >= 0 && all.indexOf(i) === at);
}

function heading(column: string, measurement: MeasurementInfo): HTMLTableCellElement {
  const field = measurement.fields.find((item) => item.name === column);
  const cell = create('th', field === undefined ? 'text' : '');
  cell.scope = 'col';
  cell.append(column === 'time' ? 'age' : column.replaceAll('_', ' '));
  if (field?.unit !== undefined && field.unit !== null && field.unit !== '1') {
    cell.append(' ', create('span', 'unit', field.unit));
  }
  if (field?.doc !== undefined && field.doc !== null) cell.title = field.doc;
  return cell;
}

/** Null for what is not a fractional number. */
function digitsOf(
  column: string,
  index: number,
  rows: Latest['rows'],
  measurement: MeasurementInfo,
): number | null {
  if (measurement.fields.find((field) => field.name === column)?.type !== 'float') return null;
  const values = rows.map((row) => row[index]).filter((value) => typeof value === 'number');
  return values.every(Number.isInteger) ? 0 : digitsFor(Math.max(...values.map(Math.abs)));
}

function newRow(cellCount: number): Row {
  const cells = Array.from({ length: cellCount }, (_, i) => create(i === 0 ? 'th' : 'td'));
  const [first] = cells;
  if (first !== undefined) first.scope = 'row';
  return { element: create('tr', '', ...cells), cells };
}

function fill(
  { element, cells }: Row,
  row: readonly JsonCell[],
  order: readonly number[],
  columns: readonly string[],
  digits: readonly (number | null)[],
): void {
  for (const [at, i] of order.entries()) {
    const cell = cells[at];
    const value = row[i] ?? null;
    if (cell === undefined) continue;
    if (columns[i] === 'time') {
      const timeMs = parseTimeMs(String(value));
      const ageMs = Date.now() - timeMs;
      setText(cell, formatAge(ageMs));
      cell.title = `${formatClock(timeMs)} · ${String(value)}`;
      element.dataset['stale'] = String(ageMs > STALE_MS);
      continue;
    }
    const places = digits[i] ?? null;
    setText(cell, places !== null && typeof value === 'number' ? formatDigits(value, places) : plain(value));
    cell.className = typeof value === 'string' && places === null ? 'text' : '';
    if (typeof value === 'boolean') cell.dataset['flag'] = String(value);
  }
}

function plain(value: JsonCell): string {
  if (value === null) return NOTHING;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'number' ? formatCount(value) : value;
}

function noteOf(all: number, matching: number, measurement: string): string {
  if (all === 0) return `No device has sent ${measurement} yet.`;
  if (matching === 0) return 'No device of that name.';
  return matching > MAX_ROWS
    ? `The first ${MAX_ROWS} of ${formatCount(matching)} devices; type to find others.`
    : `${formatCount(matching)} ${matching === 1 ? 'device' : 'devices'}`;
}
