import { FRAME_BODY_LIMITS } from './frame-body-limits.ts';
import { DEVICE_LIMITS } from './device-limits.ts';
import { READ_LIMITS } from './read-limits.ts';

/**
 * Every bound of the program in one place, each with its unit and its reason. Those marked "setting" are
 * defaults that configuration may change; the rest are fixed.
 */
export const LIMITS = {
  /** Bytes of one frame (setting): large enough for thousands of readings, small enough to buffer anywhere. */
  maxFrameBytes: 256 * 1024,
  /** Readings of one frame: bounds the rows that a few bytes of an all-optional record can claim. */
  maxReadingsPerFrame: 65_536,
  /** Values that they become, 8 bytes each: a frame's own are repeated on each of its readings. */
  maxCellsPerFrame: 2_000_000,
  /**
   * Bytes of the texts that a frame has once and a store has with each reading: a frame's own strings, and symbols of
   * enums. 800 bytes of them beside 5,000 readings; a store writes as much in the time of some 5,000 usual rows.
   */
  maxRepeatedTextBytes: 4 * 1024 ** 2,
  /** The earliest time of a reading (setting), in milliseconds since the UTC epoch: 2000-01-01, before all telemetry. */
  minTimeMs: Date.UTC(2000, 0, 1),
  /** How far ahead of the time of receipt a reading's time may lie (setting), in milliseconds: one day. */
  maxTimeAheadMs: 86_400_000,
  ...DEVICE_LIMITS,
  /** Depth of nested records in a schema. */
  maxSchemaDepth: 16,
  /** Characters of the names on the way to a field: each field of the generated code keeps its own. */
  maxSchemaPathChars: 4_096,
  /** Fields of one schema, nested ones included: bounds generated code and table width. */
  maxSchemaFields: 2_000,
  /** Bytes of one schema's JSON text. */
  maxSchemaBytes: 1024 * 1024,
  /** Values and fields that are compared to check one default: more than its text can spell out. */
  maxDefaultSteps: 1_000_000,
  /** Schemas in the registry. */
  maxSchemas: 10_000,
  /** Fingerprints that the refusal of an unknown one names. */
  knownFingerprintsShown: 5,
  /** Refused messages in each second of which it is found out whether they are the body of a known schema … */
  frameGuessesPerS: 20,
  /** … and how many schemas, the newest ones, each is tried with. */
  frameGuessSchemas: 16,
  /** Bytes of one string value: InfluxDB's limit of 64 KB for strings and tags, less room for escapes. */
  maxStringBytes: 32 * 1024,
  /** Bytes of the tags of one point, where commas, spaces and equals signs count twice … */
  maxTagBytes: 60 * 1024,
  /** … so that with its measurement, its tags' names and a field's name they fit into a series' key of InfluxDB's. */
  maxSeriesKeyBytes: 65_535,

  /** Bytes of journal (setting): at the limit acks are withheld and new connections get 503. */
  journalMaxBytes: 4 * 1024 ** 3,
  /** A block is committed when it holds this many bytes … */
  journalBlockBytes: 1024 * 1024,
  /** … or when its first frame has waited this long, in milliseconds. */
  journalBlockDelayMs: 2,
  /** One commit takes so many bytes of what waits, or half of it: while it is synced the others are gathered. */
  journalCommitBytes: 4 * 1024 * 1024,
  /** Bytes that may wait for the disk before ingest is paused. */
  journalQueueBytes: 32 * 1024 * 1024,
  /** Buffers of blocks that are kept to be filled again: as many as what may wait for the disk fills … */
  journalSpareBlocks: 32,
  /** … and as many of them as outlast the next upkeep. */
  journalIdleBlocks: 4,
  /** Headers of the newest blocks that are kept in memory, about 150 bytes each: those of what tails may resume from. */
  journalKnownBlocks: 4_096,
  /** A journal whose commit failed is opened anew after this time, in milliseconds … */
  journalRecoveryMinMs: 250,
  /** … and each further try waits twice as long, up to this. */
  journalRecoveryMaxMs: 15_000,
  /** Bytes of blocks between two snapshots of the device cursors: what is replayed after a crash. */
  journalSnapshotBytes: 64 * 1024 * 1024,
  /** Spans of settled frames of whose rows the times are remembered; two become one when there are more. */
  settledTimeSpans: 2_048,
  /** Stored frames are kept this long for tails to resume from (setting), in milliseconds … */
  tailRetentionMs: 60 * 60_000,
  /** … but at most this many bytes of them (setting). */
  tailRetentionBytes: 512 * 1024 * 1024,
  /** Age of the oldest frame that is not stored (setting), in milliseconds, at which acks are withheld: none. */
  journalMaxAgeMs: null,
  /** What is due by age alone is looked for this often, in milliseconds. */
  journalUpkeepMs: 60_000,
  /** No clock is right that tells an earlier time: the program is younger, in milliseconds since the UTC epoch. */
  builtMs: Date.UTC(2025, 0, 1),
  /** A clock that has kept step for this long, in milliseconds, is believed: one that falls behind it later is wrong. */
  clockTrustMs: 60 * 60_000,
  /** Ages follow a clock that jumped ahead, or a time off, once it has kept step for this long, in milliseconds: a day. */
  clockAdoptMs: 86_400_000,
  /** The clock is looked at this often, and the time kept for the next start this often, in milliseconds. */
  clockLookMs: 1_000,
  clockKeepMs: 60_000,
  /**
   * This often it is looked whether the open files are still where the next start looks for them, in milliseconds. What
   * is acknowledged in between may be in files that were deleted.
   */
  filesLookMs: 100,
  /** A frame that numbers nothing is a duplicate when its content came within this time (setting), in milliseconds. */
  dedupeWindowMs: 60 * 60_000,
  /** Newest contents that are remembered per device (setting) … */
  dedupeFrames: 100_000,
  /** … and in total, about 100 bytes of memory each; a device counts as three. */
  dedupeTotal: 500_000,
  /** Bytes of frames by HTTP and MQTT that may wait for the disk. */
  intakeBytes: 16 * 1024 ** 2,
  /** Packets that a broker may have sent the bridge without an ack (MQTT 5): a commit's time of the fastest brokers. */
  bridgeReceiveMaximum: 1_024,
  /** Bytes of frames that the bridge holds until they are on disk; then it reads no further. */
  bridgeBytes: 8 * 1024 ** 2,
  /** Seconds for which a broker keeps the bridge's session while it is away (MQTT 5): a week. */
  bridgeSessionExpiryS: 7 * 86_400,
  /** Seconds without traffic after which the bridge pings its broker. */
  bridgeKeepaliveS: 30,
  /** A broker answers a connect and a subscription within this time, in milliseconds. */
  bridgeAnswerMs: 10_000,
  /** … and one that the bridge leaves has closed the connection within this time, in milliseconds. */
  bridgeLeaveMs: 1_000,
  /** Waits between two tries of the bridge to connect, in milliseconds: they double from the first to the second. */
  bridgeRetryMinMs: 500,
  bridgeRetryMaxMs: 15_000,
  /** Dead letters of one replay, which is one commit … */
  maxReplayLetters: 500,
  /** … and bytes of their frames. */
  maxReplayBytes: 4 * 1024 ** 2,
  /** Dead letters that one request may name, and refused ones that its answer lists. */
  maxReplayIds: 10_000,
  maxReplayRefused: 1_000,
  /** Replays at once. */
  maxReplays: 8,
  /** A replay waits this long for the store's word, in milliseconds. */
  replayWaitMs: 10_000,
  /** Replayed frames whose id and number are remembered until the store has taken or refused them. */
  replayedIds: 100_000,

  /** Rows of one store batch: fewer and larger transactions pay. It begins with a step and adapts to load … */
  storeBatchRows: 250_000,
  storeBatchStepRows: 50_000,
  storeBatchMinRows: 5_000,
  /** … so that one write takes about this long, in milliseconds. */
  storeWriteMs: 1_000,
  /** Bytes of its frames: two batches are held, one under way and the next one decoded … */
  storeBatchBytes: 16 * 1024 ** 2,
  /** … and bytes of texts that its frames repeat, as DuckDB copies them for each row, several times … */
  storeBatchTextBytes: 16 * 1024 ** 2,
  /** … and cells of its columns, 8 bytes each: up to twice as many are allocated. */
  storeBatchCells: 2_000_000,
  /** A smaller batch is written when its first row has waited so many times as long as a write takes … */
  storeBatchDelayFactor: 16,
  /** … but between these, in milliseconds: what is sent to an idle server can be read within a second. */
  storeBatchMinDelayMs: 100,
  storeBatchMaxDelayMs: 500,
  /** Points of a body for InfluxDB: it begins with what its manual names, grows by a step … */
  influxBodyPoints: 5_000,
  influxBodyStepPoints: 500,
  /** … up to this, from where on larger ones gain nothing, and is halved down to this. */
  influxBodyMaxPoints: 20_000,
  influxBodyMinPoints: 500,
  /** A body that takes longer, in milliseconds, is too large for the server. */
  influxSlowMs: 1_000,
  /** Connections that carry bodies: two keep a server busy while it answers … */
  influxConnections: 2,
  /** … and more of them, at most these, pay where answers come from far or a server has many cores. */
  influxMaxConnections: 6,
  /** Longest wait between two tries of a store write, in milliseconds. */
  storeRetryMaxMs: 30_000,
  /** … unless the store's Retry-After asks for a longer one, up to this: one that asks for a day is mistaken. */
  storeRetryAfterMaxMs: 5 * 60_000,
  /** Writes that fail one after another before the store is asked first, instead of being sent a batch. */
  storeFailuresToOpen: 3,
  /**
   * A batch that a store has failed so often in a row, although it had just said that it takes writes, is tried by
   * halves: some seconds after the first failure.
   */
  storeFaultsToSearch: 5,
  /**
   * A single frame that it fails so often in a row is given up where another one is taken in between: with the growing
   * waits about a minute and a half, longer than servers take to start.
   */
  storeFaultsToGiveUp: 10,
  /** A single frame is given up at which the writer process has ended so often in a row. */
  writerEndsToGiveUp: 3,
  /** Writer processes that end one after another at the same frames are an alarm. */
  writerEndsToAlarm: 2,
  /** With `expire-oldest`, the part of its bytes at which the journal gives up its oldest blocks … */
  expireAtFill: 0.95,
  /** … and the part to which it does. */
  expireToFill: 0.9,
  /** Synchronous work between two looks at sockets and timers, in milliseconds: acks wait for no longer. */
  sliceMs: 5,
  /** … of decoding ahead: the store's own steps, between which the database idles, go first. */
  aheadSliceMs: 1,
  /** Device names that the writer keeps between blocks, some tens of bytes each. */
  writerDeviceNames: 100_000,
  /** A server waits so long for the writer process of one that was killed to end, in milliseconds. */
  writerTakeoverMs: 10_000,
  /** Longest wait between two starts of a process of the server that ends, in milliseconds. */
  processRestartMaxMs: 15_000,
  /** Processes that take devices (setting). */
  maxProcesses: 64,
  /** Frames go from an ingest process to the server in batches of this many bytes, or at the end of a turn. */
  linkBatchBytes: 256 * 1024,
  /** A process that is to end may take this long, in milliseconds. */
  processCloseMs: 2_000,
  /** How long acks took is told to the server this often, in milliseconds. */
  processReportMs: 100,
  /** Bytes that may wait in each direction of a WebSocket that is passed on to the server. */
  forwardedSocketBytes: 1024 * 1024,
  /** The server's other processes are asked this often whether they live, in milliseconds … */
  processLookMs: 1_000,
  /** … and one that has not answered for so long is ended and started again: devices wait for this one … */
  ingestSilentMs: 10_000,
  /** … after a start that may take so long, in milliseconds, and so much longer for each schema, as it compiles all … */
  ingestStartMs: 30_000,
  ingestStartSchemaMs: 50,
  /** … and nobody for the writer … */
  writerSilentMs: 60_000,
  /** … or when one call of its store has taken so long, many times what the slowest batch takes, in milliseconds. */
  storeCallMs: 5 * 60_000,
  /** A writer process is told of commits this often at most, in milliseconds: a message costs as much as a small commit. */
  writerTellMs: 10,
  /** How often a writer process looks whether it has news of itself, in milliseconds. */
  writerReportMs: 100,
  /** Reads of the store that may be under way or wait in all: those of the API, of tails and their remains. */
  maxStoreReads: 512,
  /** The audit of what the store holds runs this often, in milliseconds … */
  auditEveryMs: 60_000,
  /** … asks for so many points at most … */
  auditPoints: 256,
  /** … and asks a second time after this long before it says that something is missing, in milliseconds. */
  auditSecondLookMs: 5_000,
  /** Series whose newest time DuckDB's writer remembers; rows of others are looked up. */
  maxSeriesTracked: 1_000_000,

  /** Rows of a JSON answer when no limit is asked. */
  queryDefaultRows: 10_000,
  /** Rows of a JSON answer at most. */
  queryMaxRows: 1_000_000,
  /** Bytes of a JSON answer, which is held whole: a page that would be larger ends early, with a cursor. */
  queryMaxAnswerBytes: 128 * 1024 ** 2,
  /** Buckets of one aggregate answer, all groups together. */
  queryMaxBuckets: 1_000_000,
  /** Values that the percentiles of one aggregate answer may hold at once: 8 bytes each. */
  queryMaxHeldValues: 10_000_000,
  /** Longest query, in milliseconds (setting). */
  queryTimeoutMs: 30_000,
  ...READ_LIMITS,
  ...FRAME_BODY_LIMITS,
  /** Characters of a row's device and tags in a page cursor, which travels in a URL; where they have more, rows are counted. */
  cursorKeyChars: 400,
  /** Bytes of a request's head: its URL and all its headers, a long token among them. */
  httpHeadBytes: 16 * 1024,
  /** Characters of a query string beside its cursor, so that whoever was given a cursor can send it with the same query. */
  maxQueryChars: 8 * 1024,
  /** Length of one query parameter and number of values that may be repeated. */
  maxParameterLength: 1_024,
  maxParameterValues: 256,
  /** Bytes of a JSON request body of a route that takes long lists … */
  maxJsonBodyBytes: 1024 * 1024,
  /** … and of all others, as of a message over the WebSocket: what it costs to check them is bounded by it. */
  maxQueryBodyBytes: 64 * 1024,
  /** Bytes of bodies that are received and not read yet, over all connections: beyond it the largest is refused. */
  heldBodyBytes: 32 * 1024 ** 2,
  /**
   * A body has come whole within this time, and of a streamed one something comes, in milliseconds; uWebSockets.js by itself
   * cuts some at 8 s.
   */
  bodyTimeoutMs: 7_000,
  /** Requests that are answered in the turn of the event loop in which they come; the others follow in rounds. */
  requestsPerTurn: 64,
  /** Bytes that are written to a socket at once, and when it has not taken some before. */
  writeBytes: 64 * 1024,
  slowWriteBytes: 16 * 1024,
  /**
   * A socket that took not all is tried again after this time at latest, in milliseconds, with a few bytes that are held
   * back for it: uWebSockets.js ends a response to which nothing is written for 8 s, and calls a socket writable only
   * when a third of what the system keeps for it is free.
   */
  writeRetryMs: 1_000,
  heldBackBytes: 64,
  /** A reader that takes none of an answer in this time is cut, in milliseconds. */
  readerStallMs: 30_000,
  /**
   * The same with node:http, which learns that some was taken when a third of what the system keeps for the socket is
   * free again: a reader of 4 MB in 6 minutes is not cut.
   */
  flushStallMs: 120_000,
  /** With node:http: a request's head comes within this time, and the rest of one that is answered within this, in milliseconds … */
  headTimeoutMs: 20_000,
  requestTimeoutMs: 60_000,
  /** … the next one on the same connection within this, more than proxies keep theirs for … */
  keepAliveMs: 75_000,
  /** … a refused connection is read on for so long, or its client might lose the answer … */
  lingerMs: 2_000,
  /** … a closed WebSocket's client is waited for … */
  closeTimeoutMs: 5_000,
  /** … and so many connections may be open beside those of devices and tails. */
  httpConnections: 2_000,

  /** Bytes of a row's device and tags in a tail cursor, which is a parameter too; of longer ones it has a digest. */
  tailCursorKeyBytes: 400,
  /** Characters of a gap's URL behind the host: with a page's cursor and headers it stays within the 4 KiB that the server takes. */
  tailGapQueryChars: 1_024,
  /** Tail connections at once. */
  maxTailConnections: 10_000,
  /** Subscriptions of one tail connection. */
  maxSubscriptions: 32,
  /** Devices, fields and tag values that the filters of one tail connection name together … */
  tailFilterValues: 4_096,
  /** … and bytes that the filters of all of them take: each value's characters, and 64 more for its places in lists. */
  tailFilterBytes: 32 * 1024 ** 2,
  /** Bytes that may wait in one tail socket before its reader counts as slow. */
  tailSocketBytes: 1024 * 1024,
  /** Rows of one data message. */
  tailMessageRows: 1_000,
  /** Rows that joining history to live may have to tell apart. */
  tailJoinRows: 500_000,
  /** A tail without rows tells its position this often, in milliseconds. */
  tailProgressMs: 5_000,
  /** Bytes that may wait in one tail socket at all: one message of a full frame beyond tailSocketBytes fits. */
  tailBackpressureBytes: 64 * 1024 * 1024,
  /** Messages of one tail connection that may wait to be taken, and their bytes: none is taken while it does not read. */
  tailWaitingMessages: 256,
  tailWaitingBytes: 256 * 1024,
  /** Taking messages of all tails gets this much of a turn of the event loop, in milliseconds. */
  tailMessageSliceMs: 2,
  /** Decoded journal blocks that tails share. */
  tailDecodedBlocks: 8,
  /** Characters of encoded rows that tails share. */
  tailEncodedChars: 16 * 1024 * 1024,
  /** A history read waits this long for a slow reader before it gives its place to others, in milliseconds. */
  tailHistoryPatienceMs: 1_000,
  /** Series whose newest row a slow `mode=latest` reader is kept; more are sent in several goes. */
  tailLatestSeries: 100_000,
  /** History reads of tails at once. */
  maxHistoryReads: 4,

  /** Devices of one page of /v1/devices when no limit is asked, and at most. */
  devicesDefaultRows: 1_000,
  devicesMaxRows: 10_000,
  /** Dead letters of one page when no limit is asked, and at most … */
  deadLettersDefaultRows: 100,
  deadLettersMaxRows: 1_000,
  /** … looked through for one page when the list is filtered … */
  deadLettersScanned: 10_000,
  /** … and bytes of frames in it, which travel as base64. */
  deadLettersPageBytes: 4 * 1024 ** 2,

  /** Bytes of one control message (text) from a client. */
  maxControlBytes: 64 * 1024,
  /** Bytes that wait for readers, over all connections of a process: beyond it whoever left most unread is cut. */
  unreadBytes: 256 * 1024 ** 2,
  /** Pings of one WebSocket within a second, of which the next one begins only when what was sent is read. */
  maxPings: 100,
  pingWindowMs: 1_000,
  /** A socket whose reader left more than this unread is cut: a close frame would wait behind it. */
  closeBacklogBytes: 64 * 1024,
  /** Seconds without any traffic after which a WebSocket is closed (pings are sent before). */
  idleTimeoutS: 120,
  /** Stopping takes at most this long, in milliseconds; then it ends as it is. */
  drainMs: 8_000,
} as const;
