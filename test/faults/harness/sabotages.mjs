/**
 * Promises broken on purpose, as patches of the built program (see patch.mjs). Under each the test files of
 * `noticedBy` have to see just that promise broken, in the words of `breaks`: npm run test:faults -- --break all.
 */
const COMMIT = 'this.#storage.commit(transaction.change)';

export const SABOTAGES = [
  {
    name: 'ack before the commit',
    breaks: /welcomed at \d+, but \d+ was acknowledged|acknowledged readings are not in the store/,
    noticedBy: ['kill-points'],
    patches: [
      {
        in: 'ingest/session.js',
        find: 'journal.append(this, seq, ',
        // The journal's own word, which comes later, goes nowhere.
        replace:
          '(queueMicrotask(this.onDurable.bind(this, seq, bytes.length, nowMs)), journal).append({ device: ' +
          'this.device, transport: this.transport, outbox: this.outbox, onDurable() {}, onFailed: () => this.onFailed() }, seq, ',
      },
    ],
  },
  {
    name: 'commit not awaited',
    // A block's memory is filled again while the disk still waits for it, too.
    breaks:
      /welcomed at \d+, but \d+ was acknowledged|acknowledged readings are not in the store|block at position \d+ is damaged/,
    noticedBy: ['kill-points'],
    patches: [{ in: 'journal', find: COMMIT, replace: `Promise.resolve(void ${COMMIT})` }],
  },
  {
    name: 'commit not synced',
    breaks: /acks left before a sync/,
    noticedBy: ['synced'],
    patches: [
      {
        in: 'journal',
        find: 'overlappingSync: false',
        replace: 'overlappingSync: false, noSync: true',
      },
    ],
  },
  {
    name: 'position settled before the store write',
    breaks: /stored in the ledger while the store was away|acknowledged readings are not in the store/,
    noticedBy: ['influx-outage'],
    patches: [
      {
        in: 'writer',
        find: 'const points = await this.#try(',
        replace:
          'if (!again) await journal.settle(await settlementOf(' +
          'journal, { from: batch.first, position: batch.next, received: batch.received }, batch.refused));' +
          'const points = await this.#try(',
      },
    ],
  },
  {
    name: "store position committed before the store's rows",
    breaks: /acknowledged readings are not in the store/,
    noticedBy: ['kill-points'],
    patches: [
      {
        in: 'store/duckdb/write/transaction.js',
        find: "await connection.run('BEGIN TRANSACTION');",
        replace:
          "await connection.run('BEGIN TRANSACTION');" +
          'await writePosition(connection, withRefused(position, refused));' +
          "await connection.run('COMMIT'); await connection.run('BEGIN TRANSACTION');",
      },
    ],
  },
  {
    name: 'numbers not deduped, and the welcome not held back for frames in flight',
    breaks: /in the ledger|twice/,
    noticedBy: ['connections'],
    patches: [
      { in: 'journal/local/commit/batch.js', find: 'seq <= cursor.taken', replace: 'false' },
      { in: 'ingest/directory.js', find: 'journal.stats().queuedBytes > 0', replace: 'journal === null' },
    ],
  },
  {
    name: 'contents not deduped',
    breaks: /taken a second time/,
    noticedBy: ['contents'],
    patches: [
      {
        in: 'journal/local/dedupe/dedupe-window.js',
        find: 'if (before !== undefined) {',
        replace: 'if (false) {',
      },
    ],
  },
  {
    name: 'contents forgotten in a crash',
    breaks: /taken a second time/,
    noticedBy: ['contents'],
    patches: [
      { in: 'journal/local/recover/restore.js', find: 'restoreWindow(window, ', replace: 'void (window, ' },
    ],
  },
  {
    name: 'contents not passed on between processes',
    breaks: /taken a second time/,
    noticedBy: ['ways-in'],
    patches: [
      { in: 'app/ingest-process/upstream.js', find: "arrivalMs, content ?? ''", replace: 'arrivalMs' },
    ],
  },
  {
    name: 'frames without numbers answered before the commit',
    breaks: /acknowledged readings are not in the store/,
    noticedBy: ['ways-in'],
    patches: [
      {
        in: 'ingest/intake.js',
        find: 'await request.durable;',
        replace: 'await Promise.race([request.durable, new Promise((done) => setImmediate(done))]);',
      },
    ],
  },
  {
    name: 'device numbers lost in a crash',
    breaks: /welcomed at \d+, but \d+ was acknowledged/,
    noticedBy: ['kill'],
    patches: [
      {
        in: 'journal/local',
        find: 'cursors.restore(device, lastSeq)',
        replace: 'cursors.restore(device, lastSeq - 1)',
      },
    ],
  },
  {
    name: 'numbers of outboxes lost in a crash',
    breaks: /welcomed at \d+, but \d+ was acknowledged/,
    noticedBy: ['kill'],
    patches: [
      { in: 'journal/local/recover/restore.js', find: 'cursors.outboxes.restoreSeq(', replace: 'void (' },
    ],
  },
  {
    name: "outboxes have their device's numbers",
    breaks: /a unit reports: welcomed at \d+, expected|acknowledged readings are not in the store/,
    noticedBy: ['outbox-file'],
    patches: [{ in: 'ingest/directory.js', find: 'outboxId === null ?', replace: 'true ?' }],
  },
  {
    name: 'another epoch after each start',
    breaks: /the epoch changed/,
    noticedBy: ['kill'],
    patches: [
      { in: 'ingest/session.js', find: 'epoch: journal.epoch', replace: 'epoch: String(process.pid)' },
    ],
  },
  {
    name: 'refused readings not counted',
    breaks: /rejected in the ledger|pending by ws/,
    noticedBy: ['kill'],
    patches: [
      {
        in: 'journal',
        find: 'rejected: addReadings(counts.rejected, batch.rejected)',
        replace: 'rejected: counts.rejected',
      },
    ],
  },
  {
    name: 'stored readings not counted',
    breaks: /pending by ws|still pending/,
    noticedBy: ['kill'],
    patches: [
      {
        in: 'journal',
        find: 'stored: addReadings(state.counts.stored, settlement.stored)',
        replace: 'stored: state.counts.stored',
      },
    ],
  },
  {
    name: 'dead letters dropped',
    breaks: /dead letters of \d+ refused/,
    noticedBy: ['kill'],
    patches: [
      {
        in: 'journal/local/commit/transaction.js',
        find: 'for (const letter of batch.letters)',
        replace: 'for (const letter of [])',
      },
    ],
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
