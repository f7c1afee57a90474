/** A change of the built program, made while it is loaded: see patch.mjs. */
export interface Patch {
  /** Below dist/src. */
  file: string;
  /** A text that is in the file exactly once. */
  find: string;
  replace: string;
}

/** Where a process can die in the middle of something. */
export interface KillPoint {
  name: string;
  /** Passed while frames stream, or while the server drains. */
  when: 'streaming' | 'draining';
  patch: Patch;
}

const before = (when: KillPoint['when'], name: string, file: string, find: string): KillPoint => ({
  name,
  when,
  patch: { file, find, replace: `faultKill('${name}'); ${find}` },
});
const after = (when: KillPoint['when'], name: string, file: string, find: string): KillPoint => ({
  name,
  when,
  patch: { file, find, replace: `${find} faultKill('${name}');` },
});
const streaming = (name: string, file: string, find: string, replace: string): KillPoint => ({
  name,
  when: 'streaming',
  patch: { file, find, replace },
});

const JOURNAL = 'journal/local/local-journal.js';
const COMMIT = 'await this.#storage.commit(transaction.change);';
const TRIMS = 'transaction.change.removedBlocks.length > 0';
const WRITER = 'writer/writer.js';
const SERVER = 'app/server.js';
const DRAIN = "await ingest.drain('the server is stopping');";

/** Names have no apostrophes: they travel inside of the patched text. */
export const KILL_POINTS: readonly KillPoint[] = [
  before('streaming', 'before the journal commits', JOURNAL, COMMIT),
  streaming(
    'while the journal commits',
    'journal/local/storage.js',
    'await this.#meta.ifVersion(',
    "await (faultKillSoon('while the journal commits'), this.#meta).ifVersion(",
  ),
  after('streaming', 'after the commit, before the ack', JOURNAL, COMMIT),
  streaming(
    'before the store write',
    WRITER,
    'await store.write(',
    "await (faultKill('before the store write'), store).write(",
  ),
  before(
    'streaming',
    'before the store commits',
    'store/duckdb/transaction.js',
    "await connection.run('COMMIT');",
  ),
  streaming(
    'between store and settlement',
    WRITER,
    'await journal.settle(settlementOf(journal, batch.next',
    "await (faultKill('between store and settlement'), journal).settle(settlementOf(journal, batch.next",
  ),
  streaming(
    'before a trim is committed',
    JOURNAL,
    COMMIT,
    `if (${TRIMS}) faultKill('before a trim is committed'); ${COMMIT}`,
  ),
  streaming(
    'after a trim is committed',
    JOURNAL,
    COMMIT,
    `${COMMIT} if (${TRIMS}) faultKill('after a trim is committed');`,
  ),
  before('draining', 'in a drain, before devices are told', SERVER, DRAIN),
  after('draining', 'in a drain, after the last acks', SERVER, DRAIN),
  after('draining', 'in a drain, after the store closed', SERVER, 'await store.close();'),
];
