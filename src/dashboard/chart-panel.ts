import { emptyText, noteText, valueText, viewFromMs } from './chart-text.ts';
import { Chart } from './chart.ts';
import type { ChartCursor, ChartLine } from './chart.ts';
import { byId, setText } from './dom.ts';
import type { Feed } from './feed.ts';
import { formatClock } from './format.ts';
import type { FieldInfo } from './payloads.ts';
import { EMPTY, WINDOWS, drawn } from './selection.ts';
import type { PageSelection } from './selection.ts';

/** Redraws at most; a chart in motion looks steady at this rate and costs little. */
const REDRAW_MS = 250;
/** The chart's description for those who hear it changes no faster than this. */
const DESCRIBE_MS = 15_000;

/** Told the values beside the device names: those under the cursor, or the newest. */
export type ValuesListener = (values: ReadonlyMap<string, string>) => void;

/** The chart with what stands around it: the note, the read-out, and what is said when there is no line. */
export class ChartPanel {
  readonly #feed: Feed;
  readonly #onValues: ValuesListener;
  readonly #host = byId('chart', HTMLElement);
  readonly #note = byId('chart-note', HTMLElement);
  readonly #readOut = byId('chart-readout', HTMLOutputElement);
  readonly #empty = byId('chart-empty', HTMLElement);
  readonly #chart: Chart;
  #selection: PageSelection = EMPTY;
  #field: FieldInfo | null = null;
  #isLoaded = false;
  #lines: readonly ChartLine[] = [];
  #cursor: ChartCursor | null = null;
  #byKeys = false;
  #describedAtMs = -Infinity;
  #due = false;

  constructor(feed: Feed, onValues: ValuesListener) {
    this.#feed = feed;
    this.#onValues = onValues;
    this.#chart = new Chart(this.#host, (cursor) => {
      this.#cursor = cursor;
      this.#showValues();
    });
    // A pointer over the chart would announce values without end; somebody who uses the keys wants them.
    this.#host.addEventListener('keydown', () => this.#announce(true), { capture: true });
    this.#host.addEventListener('pointermove', () => this.#announce(false));
  }

  /** `field` is null where there is none to draw. The first call says that the server has told what there is. */
  show(selection: PageSelection, field: FieldInfo | null): void {
    this.#isLoaded = true;
    this.#selection = selection;
    this.#field = field;
    this.#describedAtMs = -Infinity;
    this.redraw();
  }

  /** Whether the server has told what there is to draw. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  recolour(): void {
    this.#chart.recolour();
  }

  point(device: string | null): void {
    this.#chart.point(device);
  }

  /** Draws with the next frame; any number of calls before it are one. */
  redraw(): void {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      this.#draw(Date.now());
    });
  }

  /** Redraws by itself as long as `active` says so. */
  run(active: () => boolean): void {
    setInterval(() => {
      if (active()) this.redraw();
    }, REDRAW_MS);
  }

  #draw(toMs: number): void {
    const feed = this.#feed;
    const slots = new Map(drawn(this.#selection).map(({ device, slot }) => [device, slot]));
    this.#lines = feed
      .lines(toMs)
      .map(({ device, points }) => ({ device, points, slot: slots.get(device) ?? 0 }));
    const points = this.#lines.reduce((sum, line) => sum + line.points.times.length, 0);
    const sliceMs = Math.max(0, ...this.#lines.map((line) => line.points.sliceMs));
    const windowMs = WINDOWS[this.#selection.window];
    const firstMs = this.#lines.flatMap((line) => line.points.times.slice(0, 1)).sort((a, b) => a - b)[0];
    const fromMs = viewFromMs(toMs, windowMs, firstMs);
    this.#empty.hidden = points > 0;
    setText(
      this.#empty,
      emptyText(feed.phase, {
        measurement: this.#selection.measurement,
        field: this.#field?.name ?? null,
        devices: slots.size,
        isLoaded: this.#isLoaded,
        gateway: location.origin.replace(/^http/, 'ws'),
      }),
    );
    const shownMs = toMs - fromMs;
    setText(this.#note, noteText({ phase: feed.phase, points, sliceMs, shownMs, windowMs, gaps: feed.gaps }));
    this.#host.dataset['points'] = String(points);
    this.#chart.draw({
      lines: this.#lines,
      fromMs,
      toMs,
      isBoolean: this.#field?.type === 'boolean',
      liveSinceMs: feed.liveSinceMs,
    });
    this.#showValues();
    this.#describe(toMs);
  }

  #showValues(): void {
    const cursor = this.#cursor;
    const values = this.#texts(({ device, points }) =>
      cursor === null ? points.values.at(-1) : cursor.values.get(device),
    );
    this.#onValues(new Map(values));
    const spoken = this.#byKeys ? values.map(([device, text]) => `, ${device} ${text}`).join('') : '';
    setText(this.#readOut, cursor === null ? '' : formatClock(cursor.timeMs) + spoken);
  }

  /** A value of each line as text, all with the same number of digits. */
  #texts(valueOf: (line: ChartLine) => number | undefined): [device: string, text: string][] {
    const values = this.#lines.map((line) => [line.device, valueOf(line)] as const);
    const largest = Math.max(0, ...values.map(([, value]) => Math.abs(value ?? 0)));
    return values.map(([device, value]) => [device, valueText(value, this.#field, largest)]);
  }

  #announce(byKeys: boolean): void {
    this.#byKeys = byKeys;
    this.#readOut.setAttribute('aria-live', byKeys ? 'polite' : 'off');
  }

  #describe(nowMs: number): void {
    if (nowMs - this.#describedAtMs < DESCRIBE_MS) return;
    this.#describedAtMs = nowMs;
    const newest = this.#texts(({ points }) => points.values.at(-1)).map(
      ([device, text]) => `${device} ${text}`,
    );
    const what = this.#field?.name.replaceAll('_', ' ') ?? 'nothing';
    const label = `Chart of ${what}, the last ${this.#selection.window}. Newest values: ${newest.join(', ') || 'none'}.`;
    this.#host.setAttribute('aria-label', label);
  }
}
