import { byId, setText } from './dom.ts';
import {
  NOTHING,
  formatBytes,
  formatCount,
  formatMs,
  formatRate,
  formatUptime,
  splitBytes,
} from './format.ts';
import type { Stats } from './payloads.ts';
import { storeName, storeNote } from './store-note.ts';

/** Polls that the trace of readings per second remembers: one minute. */
const TRACE_LENGTH = 60;

/** The journal's states that a person should hear of. */
const JOURNAL_STATES: Readonly<Record<string, string>> = {
  filling: 'nearly full',
  full: 'full',
  failed: 'cannot be written',
};

/** The row of numbers at the top. */
export class Overview {
  readonly #devices = byId('devices-connected', HTMLElement);
  readonly #tails = byId('tails', HTMLElement);
  readonly #rate = byId('rate', HTMLElement);
  readonly #total = byId('total', HTMLElement);
  readonly #ack = byId('ack', HTMLElement);
  readonly #ackNote = byId('ack-note', HTMLElement);
  readonly #store = byId('store', HTMLElement);
  readonly #storeNote = byId('store-note', HTMLElement);
  readonly #journal = byId('journal', HTMLElement);
  readonly #journalUnit = byId('journal-unit', HTMLElement);
  readonly #journalNote = byId('journal-note', HTMLElement);
  readonly #meter = byId('journal-meter', HTMLElement);
  readonly #trace = byId('trace', SVGPathElement);
  readonly #traceArea = byId('trace-area', SVGPathElement);
  readonly #about = byId('about', HTMLElement);
  #rates: number[] = [];

  show(stats: Stats): void {
    const { store, journal, writer } = stats;
    setText(this.#devices, formatCount(stats.devicesConnected));
    setText(this.#tails, `${formatCount(stats.tails)} live ${stats.tails === 1 ? 'tail' : 'tails'}`);
    setText(this.#rate, formatRate(stats.readingsPerSecond));
    setText(this.#total, `${formatCount(stats.readingsTotal)} in all`);
    setText(this.#ack, stats.ackP50Ms === null ? NOTHING : formatMs(stats.ackP50Ms));
    setText(
      this.#ackNote,
      stats.ackP99Ms === null ? 'no acks lately' : `99 % within ${formatMs(stats.ackP99Ms)} ms`,
    );
    setText(this.#store, storeName(store.kind));
    const note = storeNote(stats);
    setText(this.#storeNote, note.text);
    this.#storeNote.title = store.reason ?? writer.reason ?? '';
    this.#storeNote.dataset['tone'] = note.good ? 'good' : 'warn';
    const { value, unit } = splitBytes(journal.pendingBytes);
    setText(this.#journal, value);
    setText(this.#journalUnit, unit);
    const state = JOURNAL_STATES[journal.state];
    setText(
      this.#journalNote,
      `${state === undefined ? '' : `${state}, `}${formatCount(journal.pendingReadings)} readings to store`,
    );
    this.#journalNote.title = journal.reason ?? '';
    const share = journal.maxBytes === 0 ? 0 : Math.min(1, journal.pendingBytes / journal.maxBytes);
    this.#meter.dataset['tone'] = meterTone(journal.state, share);
    this.#meter.style.setProperty('--share', String(share));
    this.#meter.title = `${(share * 100).toFixed(share < 0.1 ? 2 : 0)} % of ${formatBytes(journal.maxBytes)}`;
    setText(
      this.#about,
      `${stats.version === '' ? '' : `v${stats.version} · `}up ${formatUptime(stats.uptimeS)}`,
    );
    this.#draw(stats.readingsPerSecond);
  }

  #draw(rate: number): void {
    this.#rates = [...this.#rates, rate].slice(-TRACE_LENGTH);
    const highest = Math.max(1, ...this.#rates) * 1.1;
    const last = Math.max(1, this.#rates.length - 1);
    const points = this.#rates.map((value, i) => {
      const x = (100 * i) / last;
      return `${x.toFixed(2)},${(24 * (1 - value / highest)).toFixed(2)}`;
    });
    const path = points.length < 2 ? '' : `M${points.join('L')}`;
    this.#trace.setAttribute('d', path);
    this.#traceArea.setAttribute('d', path === '' ? '' : `${path}L100,24L0,24Z`);
  }
}

/** Above this share an operator should look: the journal itself calls that filling a little later. */
const MUCH = 0.75;

function meterTone(state: string, share: number): 'good' | 'warn' | 'bad' {
  if (state === 'full' || state === 'failed') return 'bad';
  return state === 'filling' || share >= MUCH ? 'warn' : 'good';
}
