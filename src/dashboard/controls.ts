import { byId, setOptions, setText } from './dom.ts';
import { drawableFields, isWindow } from './selection.ts';
import type { Catalogue, PageSelection, WindowName } from './selection.ts';

export interface ControlEvents {
  onMeasurement(name: string): void;
  onField(name: string): void;
  onWindow(name: WindowName): void;
}

/** What to draw: measurement, field and window; and the chart's title from it. */
export class Controls {
  readonly #form = byId('controls', HTMLFormElement);
  readonly #measurement = byId('measurement', HTMLSelectElement);
  readonly #field = byId('field', HTMLSelectElement);
  readonly #title = byId('chart-title', HTMLElement);
  readonly #doc = byId('chart-doc', HTMLElement);

  constructor(events: ControlEvents) {
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    this.#measurement.addEventListener('change', () => events.onMeasurement(this.#measurement.value));
    this.#field.addEventListener('change', () => events.onField(this.#field.value));
    for (const radio of this.#windows()) {
      radio.addEventListener('change', () => {
        if (radio.checked && isWindow(radio.value)) events.onWindow(radio.value);
      });
    }
  }

  show(selection: PageSelection, catalogue: Catalogue): void {
    const { measurements } = catalogue;
    const names = measurements.map(({ name }) => ({ value: name, label: spaced(name) }));
    setOptions(this.#measurement, names, selection.measurement ?? '');
    const measurement = measurements.find(({ name }) => name === selection.measurement);
    const fields = drawableFields(measurement);
    const options = fields.map(({ name, unit }) => ({
      value: name,
      label: `${spaced(name)}${unitSuffix(unit)}`,
    }));
    setOptions(this.#field, options, selection.field ?? '');
    for (const radio of this.#windows()) radio.checked = radio.value === selection.window;
    const field = fields.find(({ name }) => name === selection.field);
    // A measurement of texts alone has its own name as the title, not that of what was drawn before.
    const name = spaced(field?.name ?? measurement?.name ?? 'live chart');
    setText(this.#title, `${name.charAt(0).toUpperCase()}${name.slice(1)}${unitSuffix(field?.unit ?? null)}`);
    setText(this.#doc, field?.doc ?? measurement?.doc ?? '');
  }

  #windows(): HTMLInputElement[] {
    return [...this.#form.querySelectorAll<HTMLInputElement>('input[name=window]')];
  }
}

function spaced(name: string): string {
  return name.replaceAll('_', ' ');
}

/** The unit "1" is a plain ratio and says nothing to a reader. */
function unitSuffix(unit: string | null): string {
  return unit === null || unit === '1' ? '' : `, ${unit}`;
}
