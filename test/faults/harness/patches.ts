/** A change of the built program, made while it is loaded: see patch.mjs. */
export interface Patch {
  /** A file below dist/src, or a folder in one file of which the text is. */
  in: string;
  /** A text that is there exactly once. */
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

interface Place {
  when?: KillPoint['when'];
  in: string;
  /** An expression that is a promise. It stays whole, so that several points may lie around it. */
  around: string;
  /** Which passes count; all when missing. */
  if?: string;
}

function before(
  name: string,
  { when = 'streaming', in: folder, around, if: only = 'true' }: Place,
): KillPoint {
  const replace = `((${only}) && faultKill('${name}'), ${around})`;
  return { name, when, patch: { in: folder, find: around, replace } };
}

function during(name: string, { when = 'streaming', in: folder, around }: Place): KillPoint {
  const replace = `(faultKillSoon('${name}'), ${around})`;
  return { name, when, patch: { in: folder, find: around, replace } };
}

function after(
  name: string,
  { when = 'streaming', in: folder, around, if: only = 'true' }: Place,
): KillPoint {
  const replace = `${around}.then((value) => ((${only}) && faultKill('${name}'), value))`;
  return { name, when, patch: { in: folder, find: around, replace } };
}

const COMMIT: Place = { in: 'journal', around: 'this.#storage.commit(transaction.change)' };
const TRIM: Place = { ...COMMIT, if: 'transaction.change.removedBlocks.length > 0' };
const STORE_WRITE: Place = { in: 'writer', around: 'store.write(batch.columns, position)' };
const DUCKDB_COMMIT: Place = { in: 'store/duckdb/write/transaction.js', around: "connection.run('COMMIT')" };
const DRAIN: Place = { when: 'draining', in: 'app', around: 'it.ingest.drain(STOPPING)' };
const CLOSE: Place = { when: 'draining', in: 'app', around: 'await store.close()' };

/** Names have no apostrophes: they travel inside of the patched text. */
export const KILL_POINTS: readonly KillPoint[] = [
  before('before the journal commits', COMMIT),
  during('while the journal commits', COMMIT),
  after('after the commit, before the ack', COMMIT),
  before('before the store write', STORE_WRITE),
  before('before the store commits', DUCKDB_COMMIT),
  after('between store and settlement', STORE_WRITE),
  before('before a trim is committed', TRIM),
  after('after a trim is committed', TRIM),
  before('in a drain, before devices are told', DRAIN),
  after('in a drain, after the last acks', DRAIN),
  after('in a drain, after the store closed', CLOSE),
];

/** Those of the writer process, which can die alone. */
export const WRITER_KILL_POINTS: readonly KillPoint[] = KILL_POINTS.filter(
  ({ when, patch }) => when === 'streaming' && (patch.in === STORE_WRITE.in || patch.in === DUCKDB_COMMIT.in),
);
