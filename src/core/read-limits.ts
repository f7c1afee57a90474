/** Bounds of answers of rows and of the store's reads, a part of LIMITS. See docs/decisions/0022-answers-in-the-writers-process.md. */
export const READ_LIMITS = {
  /**
   * Large reads that the store works for at once, each for as long as it makes a batch: on one or two cores more of them
   * only take turns …
   */
  maxLargeQueries: 3,
  /** … and small ones, which have places of their own: rows up to so many, aggregates over so many devices. */
  maxSmallQueries: 3,
  smallQueryRows: 10_000,
  smallQueryDevices: 8,
  /** Large answers that may be open, read at whatever pace, as each holds a result of the store's … */
  maxLargeAnswers: 48,
  /** … and small ones, most of which are one piece and never wait for their readers … */
  maxSmallAnswers: 64,
  /** … and this many of each may wait. */
  maxQueriesWaiting: 64,
  /** All reads that a store may have open: answers, lists of devices, tails' history, the audit. */
  maxOpenReads: 160,
  /** An answer is ended when its reader has taken nothing of it for so long, in milliseconds … */
  answerStalledMs: 120_000,
  /** … and the one left alone longest after this time where others wait for its place; looked at this often. */
  answerContestedMs: 30_000,
  answerLookMs: 1_000,
  /** Bytes of one piece of an answer on its way from the writer's process to the socket. */
  answerPieceBytes: 64 * 1024,
  /** Characters that are written between two looks at what else is to be done. */
  answerSliceChars: 256 * 1024,
  /** Bytes of all large answers that are held whole, in the writer's process: two of the largest … */
  heldAnswerBytes: 256 * 1024 ** 2,
  /** … an answer is large beyond this, and waits so long for room, in milliseconds. */
  heldAnswerFreeBytes: 1024 * 1024,
  heldAnswerWaitMs: 30_000,
  /** Level of gzip: 3 makes rows nearly as small as 6 does, in half of the time. */
  gzipLevel: 3,
  /** Threads of libuv's pool in the writer's process: for the writer, for reads, and for compression beside them. */
  writerPoolThreads: 8,
  /** Memory that DuckDB may use for queries, writes and its cache, in MiB; more goes into files beside the database … */
  duckdbMemoryMb: 512,
  /** … of so many MiB at most; a query that would need more is refused. */
  duckdbSpillMb: 4_096,
  /** Rows that a read of rows from DuckDB looks for at once, and sorts: an answer of more has several such windows of time. */
  duckdbWindowRows: 32_768,
  /** Threads of DuckDB's: all queries together use no more beside those that wait for them. */
  duckdbThreads: 2,
} as const;
