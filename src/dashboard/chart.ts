import uPlot from 'uplot';
import { align } from './align.ts';
import { formatAxisValue, formatTick } from './format.ts';
import { padded } from './scale.ts';
import type { PointSeries } from './series.ts';

export interface ChartLine {
  device: string;
  /** Which of the eight colours. */
  slot: number;
  points: PointSeries;
}

export interface ChartView {
  lines: readonly ChartLine[];
  fromMs: number;
  toMs: number;
  /** Booleans are drawn in steps between false and true. */
  isBoolean: boolean;
  /** Where history met live; null when unknown. */
  liveSinceMs: number | null;
}

/** The time under the cursor, and each device's value near it. */
export interface ChartCursor {
  timeMs: number;
  values: ReadonlyMap<string, number>;
}
/** Told of every move; null when the cursor has left. */
export type CursorListener = (cursor: ChartCursor | null) => void;

interface Colours {
  ink: string;
  grid: string;
  font: string;
  lines: string[];
}

const NEAR_PX = 30;
const KEY_STEP_PX = 12;
const MARK_ROOM_PX = 60;

/** The chart: draws a view as often as it is told to, keeps its size, and reads out under the cursor. */
export class Chart {
  readonly #host: HTMLElement;
  readonly #onCursor: CursorListener;
  #plot: uPlot | null = null;
  #shape = '';
  #view: ChartView = { lines: [], fromMs: 0, toMs: 1, isBoolean: false, liveSinceMs: null };
  #pointed: string | null = null;
  #colours: Colours;

  constructor(host: HTMLElement, onCursor: CursorListener) {
    this.#host = host;
    this.#onCursor = onCursor;
    this.#colours = readColours(host);
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(host);
    host.addEventListener('keydown', (event) => this.#key(event));
    host.addEventListener('blur', () => this.#plot?.setCursor({ left: -10, top: -10 }));
  }

  /** The colours of the page have changed. */
  recolour(): void {
    this.#colours = readColours(this.#host);
    this.#plot?.redraw(false);
  }

  draw(view: ChartView): void {
    this.#view = view;
    const shape = JSON.stringify([view.isBoolean, view.lines.map(({ device, slot }) => [device, slot])]);
    const data = align(view.lines.map(({ points }) => points)) as uPlot.AlignedData;
    if (this.#plot === null || shape !== this.#shape) {
      this.#plot?.destroy();
      this.#shape = shape;
      this.#plot = new uPlot(this.#options(), data, this.#host);
      this.point(this.#pointed);
    } else {
      this.#plot.setData(data);
    }
  }

  /** Brings one line forward; null brings all of them back. */
  point(device: string | null): void {
    this.#pointed = device;
    const index = this.#view.lines.findIndex((line) => line.device === device);
    // uPlot takes null for "no series" where its types say a partial series.
    this.#plot?.setSeries(index === -1 ? null : index + 1, { focus: true });
  }

  #options(): uPlot.Options {
    const { isBoolean, lines } = this.#view;
    const steps = isBoolean ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
    const axis: uPlot.Axis = {
      stroke: () => this.#colours.ink,
      font: this.#colours.font,
      grid: { stroke: () => this.#colours.grid, width: 1 },
      ticks: { show: false },
      gap: 8,
    };
    return {
      ...this.#size(),
      ms: 1,
      legend: { show: false },
      padding: [12, 8, 0, 0],
      focus: { alpha: 0.18 },
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        points: { size: 7, width: 2 },
        hover: { prox: NEAR_PX, skip: [undefined, null] },
      },
      scales: {
        x: { time: true, range: () => [this.#view.fromMs, this.#view.toMs] },
        y: { range: (_plot, low, high) => (isBoolean ? [-0.15, 1.15] : padded(low, high)) },
      },
      axes: [
        {
          ...axis,
          space: 84,
          size: 34,
          values: (_plot, splits, _axis, _space, step) => splits.map((t) => formatTick(t, step)),
        },
        {
          ...axis,
          space: 44,
          size: (_plot, labels) => 18 + 7 * Math.max(3, ...(labels ?? []).map((label) => label.length)),
          ...(isBoolean
            ? { splits: () => [0, 1], values: () => ['false', 'true'] }
            : {
                values: (_plot, splits, _axis, _space, step) => splits.map((v) => formatAxisValue(v, step)),
              }),
        },
      ],
      series: [
        {},
        ...lines.map(({ device, slot }): uPlot.Series => {
          const stroke = () => this.#colours.lines[slot] ?? this.#colours.ink;
          return {
            label: device,
            stroke,
            width: 1.75,
            points: { size: 4, space: 14, stroke, fill: stroke },
            ...(steps === undefined ? {} : { paths: steps }),
          };
        }),
      ],
      hooks: { setCursor: [(plot) => this.#readOut(plot)], drawAxes: [(plot) => this.#markLive(plot)] },
    };
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(120, this.#host.clientWidth), height: Math.max(120, this.#host.clientHeight) };
  }

  #readOut(plot: uPlot): void {
    const { left, idx, idxs } = plot.cursor;
    if (left === undefined || left < 0 || idx === null || idx === undefined) {
      this.#onCursor(null);
      return;
    }
    const values = new Map<string, number>();
    for (const [i, line] of this.#view.lines.entries()) {
      const value = plot.data[i + 1]?.[idxs?.[i + 1] ?? -1];
      if (typeof value === 'number') values.set(line.device, value);
    }
    this.#onCursor({ timeMs: plot.posToVal(left, 'x'), values });
  }

  /** A fine line where the rows from the store end and the live ones begin. */
  #markLive(plot: uPlot): void {
    const { liveSinceMs, fromMs, toMs } = this.#view;
    if (liveSinceMs === null || liveSinceMs <= fromMs || liveSinceMs > toMs) return;
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    const x = Math.round(plot.valToPos(liveSinceMs, 'x', true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = this.#colours.ink;
    ctx.lineWidth = ratio;
    ctx.setLineDash([2 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = this.#colours.font.replace(/^(\d+)px/, (_, px: string) => `${(Number(px) - 1) * ratio}px`);
    ctx.textBaseline = 'top';
    // Named by the side that has room: the axis is on the left, the edge of the chart on the right.
    const isNearAxis = x - bbox.left < MARK_ROOM_PX * ratio;
    ctx.textAlign = isNearAxis ? 'left' : 'right';
    ctx.fillText(isNearAxis ? 'live' : 'history', x + (isNearAxis ? 6 : -6) * ratio, bbox.top);
    ctx.restore();
  }

  #key(event: KeyboardEvent): void {
    const plot = this.#plot;
    if (plot === null) return;
    const step = { ArrowLeft: -KEY_STEP_PX, ArrowRight: KEY_STEP_PX, Escape: null }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const { width, height } = plot.over.getBoundingClientRect();
    const current = plot.cursor.left ?? -1;
    const from = current < 0 ? width : current;
    const left = step === null ? -10 : Math.max(0, Math.min(width - 1, from + step));
    plot.setCursor({ left, top: step === null ? -10 : height / 2 });
  }
}

/** Canvas knows no custom properties: lets the browser work them out. */
function readColours(host: HTMLElement): Colours {
  const probe = host.ownerDocument.createElement('span');
  host.append(probe);
  const colour = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const lines = Array.from({ length: 8 }, (_, i) => colour(`--line-${i + 1}`));
  const colours = {
    ink: colour('--ink-3'),
    grid: colour('--grid'),
    lines,
    font: `12px ${getComputedStyle(host).fontFamily}`,
  };
  probe.remove();
  return colours;
}
