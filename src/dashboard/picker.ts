import { byId, create, setText } from './dom.ts';
import { NOTHING, formatCount } from './format.ts';
import type { DeviceInfo } from './payloads.ts';
import { MAX_DRAWN, drawn, isFull } from './selection.ts';
import type { PageSelection } from './selection.ts';

/** Devices offered at once; the search reaches the others. */
const MAX_LISTED = 100;

interface Item {
  row: HTMLLIElement;
  box: HTMLInputElement;
  value: HTMLElement;
}

/** The list of devices beside the chart: its legend, and the way to choose what is drawn. */
export class Picker {
  readonly #list = byId('devices', HTMLUListElement);
  readonly #search = byId('device-search', HTMLInputElement);
  readonly #note = byId('device-note', HTMLElement);
  readonly #onToggle: (device: string) => void;
  readonly #onPoint: (device: string | null) => void;
  #items = new Map<string, Item>();
  #devices: readonly DeviceInfo[] = [];
  #selection: PageSelection | null = null;

  /** `onPoint` tells the device under the pointer or the focus, null without one. */
  constructor(onToggle: (device: string) => void, onPoint: (device: string | null) => void) {
    this.#onToggle = onToggle;
    this.#onPoint = onPoint;
    this.#search.addEventListener('input', () => this.#render());
    this.#list.addEventListener('pointerleave', () => onPoint(null));
    this.#list.addEventListener('focusout', () => onPoint(null));
  }

  show(devices: readonly DeviceInfo[], selection: PageSelection): void {
    this.#devices = devices;
    this.#selection = selection;
    this.#render();
  }

  /** The values of drawn devices, as text. */
  setValues(values: ReadonlyMap<string, string>): void {
    for (const [device, { value }] of this.#items) setText(value, values.get(device) ?? '');
  }

  #render(): void {
    const selection = this.#selection;
    if (selection === null) return;
    const slots = new Map(drawn(selection).map(({ device, slot }) => [device, slot]));
    const wanted = this.#search.value.trim().toLowerCase();
    const connected = new Map(this.#devices.map((info) => [info.device, info.connected]));
    // Drawn devices stay on top and are found by every search: they are the legend.
    const others = this.#devices.filter(
      ({ device }) => !slots.has(device) && device.toLowerCase().includes(wanted),
    );
    const listed = [...slots.keys(), ...others.slice(0, MAX_LISTED).map(({ device }) => device)];
    const items = listed.map((device) => [device, this.#items.get(device) ?? this.#create(device)] as const);
    const before = this.#items;
    this.#items = new Map(items);
    for (const [device, { row, box, value }] of items) {
      const slot = slots.get(device);
      box.checked = slot !== undefined;
      box.disabled = slot === undefined && isFull(selection);
      if (slot === undefined) delete row.dataset['slot'];
      else row.dataset['slot'] = String(slot + 1);
      row.dataset['connected'] = String(connected.get(device) ?? false);
      if (slot === undefined) setText(value, '');
      else if (value.textContent === '') setText(value, NOTHING);
    }
    this.#place(
      before,
      items.map(([, item]) => item.row),
    );
    setText(this.#note, this.#noteText(slots.size, others.length, wanted !== ''));
  }

  /** Moves only what is not in its place, so that the focus stays where it is. */
  #place(before: ReadonlyMap<string, Item>, rows: readonly HTMLLIElement[]): void {
    const keep = new Set<Element>(rows);
    for (const { row } of before.values()) if (!keep.has(row)) row.remove();
    for (const [i, row] of rows.entries()) {
      const there = this.#list.children[i];
      if (there !== row) this.#list.insertBefore(row, there ?? null);
    }
  }

  #create(device: string): Item {
    const box = create('input');
    box.type = 'checkbox';
    const value = create('span', 'device-value');
    const label = create(
      'label',
      '',
      box,
      create('span', 'swatch'),
      create('span', 'device-name', device),
      value,
    );
    const row = create('li', '', label);
    label.title = device;
    box.addEventListener('change', () => this.#onToggle(device));
    row.addEventListener('pointerenter', () => this.#onPoint(box.checked ? device : null));
    box.addEventListener('focus', () => this.#onPoint(box.checked ? device : null));
    return { row, box, value };
  }

  #noteText(count: number, others: number, searching: boolean): string {
    const total = this.#devices.length;
    if (total === 0) return 'No devices yet';
    if (searching && others === 0) return 'No other device of that name';
    const more = others > MAX_LISTED ? `; ${formatCount(others - MAX_LISTED)} more by search` : '';
    const full = count >= MAX_DRAWN ? `, ${MAX_DRAWN} at most` : '';
    return `${count} of ${formatCount(total)} drawn${full}${more}`;
  }
}
