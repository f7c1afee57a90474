/**
 * Promises broken on purpose, as patches of the built program (see patch.mjs). Under each the test files of
 * `noticedBy` have to see a promise broken: npm run test:faults -- --break all.
 */
const JOURNAL = 'journal/local/local-journal.js';
const COMMIT = 'await this.#storage.commit(transaction.change);';

export const SABOTAGES = [
  {
    name: 'ack before the commit',
    noticedBy: ['kill-points'],
    patches: [
      {
        file: 'ingest/session.js',
        find: 'journal.append(this, seq, bytes, readings, nowMs);',
        replace: 'journal.append(this, seq, bytes, readings, nowMs); this.onDurable(seq);',
      },
    ],
  },
  {
    name: 'commit not awaited',
    noticedBy: ['kill-points'],
    patches: [{ file: JOURNAL, find: COMMIT, replace: 'void this.#storage.commit(transaction.change);' }],
  },
];

/** The patches of the sabotage that this run is under; none in a normal run. */
export function sabotage() {
  const name = process.env.FAULT_SABOTAGE;
  if (name === undefined) return [];
  const found = SABOTAGES.find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no sabotage "${name}"`);
  return found.patches;
}
