import { byId, create, setText } from './dom.ts';
import { formatCount } from './format.ts';
import { LEDGER_KEYS } from './payloads.ts';
import type { LedgerTotals } from './payloads.ts';

const LABELS: Record<keyof LedgerTotals, string> = {
  received: 'received',
  stored: 'stored',
  duplicates: 'duplicates',
  rejected: 'rejected',
  deadLettered: 'dead letters',
  expired: 'expired',
  pending: 'pending',
};
const MEANINGS: Record<keyof LedgerTotals, string> = {
  received: 'readings that came: the sum of the others',
  stored: 'in the store',
  duplicates: 'came again and are not stored twice',
  rejected: 'refused before the ack; kept as dead letters',
  deadLettered: 'acknowledged, then refused by the store; kept as dead letters',
  expired: 'acknowledged, then dropped by a limit that the operator chose',
  pending: 'acknowledged, on their way to the store',
};
/** Readings that did not get where they should. */
const ALARMING: ReadonlySet<keyof LedgerTotals> = new Set(['rejected', 'deadLettered', 'expired']);

/** What became of every reading received, in one line. */
export class LedgerLine {
  readonly #entries = LEDGER_KEYS.map((key) => {
    const value = create('dd');
    const entry = create('div', '', create('dt', '', LABELS[key]), value);
    entry.title = MEANINGS[key];
    return { key, value, entry };
  });

  constructor() {
    byId('ledger', HTMLDListElement).replaceChildren(...this.#entries.map(({ entry }) => entry));
  }

  show(ledger: LedgerTotals): void {
    for (const { key, value, entry } of this.#entries) {
      setText(value, formatCount(ledger[key]));
      entry.dataset['alarm'] = String(ALARMING.has(key) && ledger[key] > 0);
    }
  }
}
