import { byName } from './format.ts';
import type { DeviceInfo, FieldInfo, MeasurementInfo } from './payloads.ts';

/**
 * What the chart shows, as a value with pure transitions. A device holds a slot, and with it a colour, for
 * as long as it is drawn, whatever happens to the others.
 */
export interface PageSelection {
  readonly measurement: string | null;
  readonly field: string | null;
  readonly window: WindowName;
  /** MAX_DRAWN entries; null is a free slot. */
  readonly slots: readonly (string | null)[];
  /** True while the page picks the devices by itself. */
  readonly auto: boolean;
}

export interface Catalogue {
  readonly measurements: readonly MeasurementInfo[];
  readonly devices: readonly DeviceInfo[];
}

export const WINDOWS = { '5m': 5 * 60_000, '15m': 15 * 60_000, '1h': 60 * 60_000 } as const;
export type WindowName = keyof typeof WINDOWS;

/** More lines than this cannot be told apart by colour. */
export const MAX_DRAWN = 8;
const DRAWN_BY_DEFAULT = 5;
const NO_SLOTS: readonly null[] = Array.from({ length: MAX_DRAWN }, () => null);

export const EMPTY: PageSelection = {
  measurement: null,
  field: null,
  window: '15m',
  slots: NO_SLOTS,
  auto: true,
};

/** The devices that are drawn, with their slots. */
export function drawn(selection: PageSelection): { device: string; slot: number }[] {
  return selection.slots.flatMap((device, slot) => (device === null ? [] : [{ device, slot }]));
}

/** Fields that can be drawn: numbers, and booleans as 0 and 1. */
export function drawableFields(measurement: MeasurementInfo | undefined): readonly FieldInfo[] {
  return measurement?.fields.filter((field) => field.type !== 'string') ?? [];
}

/** Devices that have sent a measurement, in the order of their names. */
export function devicesOf(catalogue: Catalogue, measurement: string | null): DeviceInfo[] {
  if (measurement === null) return [];
  return catalogue.devices
    .filter((device) => device.measurements.includes(measurement))
    .sort((a, b) => byName(a.device, b.device));
}

/** Fills what is open or no longer exists from what the server knows; keeps everything else. */
export function settle(selection: PageSelection, catalogue: Catalogue): PageSelection {
  const known = catalogue.measurements.find((item) => item.name === selection.measurement);
  const measurement = known ?? busiest(catalogue);
  if (measurement === undefined) return selection;
  const fields = drawableFields(measurement);
  const field = fields.find((item) => item.name === selection.field) ?? fields[0];
  const moved = measurement.name !== selection.measurement;
  const base: PageSelection = moved
    ? { ...selection, slots: selection.auto ? NO_SLOTS : selection.slots }
    : selection;
  const slots = base.auto ? filled(base.slots, devicesOf(catalogue, measurement.name)) : base.slots;
  const next = { ...base, measurement: measurement.name, field: field?.name ?? null, slots };
  return same(selection, next) ? selection : next;
}

/** Another measurement: its own devices, chosen anew. */
export function chooseMeasurement(
  selection: PageSelection,
  measurement: string,
  catalogue: Catalogue,
): PageSelection {
  return settle({ ...selection, measurement, field: null, slots: NO_SLOTS, auto: true }, catalogue);
}

/** Draws a device or stops drawing it. Unchanged when every slot is taken. */
export function toggleDevice(selection: PageSelection, device: string): PageSelection {
  const held = selection.slots.indexOf(device);
  const slot = held === -1 ? selection.slots.indexOf(null) : held;
  if (slot === -1) return selection;
  const slots = selection.slots.with(slot, held === -1 ? device : null);
  return { ...selection, slots, auto: false };
}

export function isFull(selection: PageSelection): boolean {
  return !selection.slots.includes(null);
}

/** The selection as a URL fragment, so that a view can be linked to and survives a reload. */
export function toFragment(selection: PageSelection): string {
  const parameters = new URLSearchParams();
  if (selection.measurement !== null) parameters.set('measurement', selection.measurement);
  if (selection.field !== null) parameters.set('field', selection.field);
  parameters.set('window', selection.window);
  if (!selection.auto) for (const { device } of drawn(selection)) parameters.append('device', device);
  return `#${parameters.toString()}`;
}

export function fromFragment(fragment: string): PageSelection {
  const parameters = new URLSearchParams(fragment.replace(/^#/, ''));
  const devices = [...new Set(parameters.getAll('device'))].slice(0, MAX_DRAWN);
  const window = parameters.get('window');
  return {
    measurement: parameters.get('measurement'),
    field: parameters.get('field'),
    window: isWindow(window) ? window : EMPTY.window,
    slots: NO_SLOTS.map((_, slot) => devices[slot] ?? null),
    auto: devices.length === 0,
  };
}

export function isWindow(text: string | null): text is WindowName {
  return text !== null && Object.hasOwn(WINDOWS, text);
}

function busiest({ measurements, devices }: Catalogue): MeasurementInfo | undefined {
  const count = (name: string) => devices.filter((device) => device.measurements.includes(name)).length;
  // Sorting is stable, so without any device it is the server's first.
  return [...measurements].sort((a, b) => count(b.name) - count(a.name))[0];
}

/** Adds devices to free slots until the default number is drawn; connected ones first. */
function filled(slots: PageSelection['slots'], devices: readonly DeviceInfo[]): PageSelection['slots'] {
  const next = [...slots];
  let count = next.filter((slot) => slot !== null).length;
  const candidates = [...devices.filter((d) => d.connected), ...devices.filter((d) => !d.connected)];
  for (const { device } of candidates) {
    if (count >= DRAWN_BY_DEFAULT) break;
    if (next.includes(device)) continue;
    next[next.indexOf(null)] = device;
    count += 1;
  }
  return next;
}

function same(a: PageSelection, b: PageSelection): boolean {
  return (
    a.measurement === b.measurement &&
    a.field === b.field &&
    a.slots.every((device, slot) => device === b.slots[slot])
  );
}
