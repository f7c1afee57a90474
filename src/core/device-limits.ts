/** Bounds of what devices have in flight, remembered and kept as dead letters, a part of LIMITS. See docs/decisions/0026-fair-among-devices.md. */
export const DEVICE_LIMITS = {
  /** Frames of one connection that may be unacknowledged (setting). */
  maxUnacked: 4_096,
  /** Bytes of one connection that may be unacknowledged (setting). */
  maxUnackedBytes: 4 * 1024 * 1024,
  /**
   * Frames of one connection that are taken in the turn of the event loop in which they come, where each KB counts as one
   * more, and a refused one as so many; the others wait for rounds with those of other connections …
   */
  turnFrames: 4_096,
  refusedFrameWeight: 32,
  /** … in which it has so many taken at once … */
  roundFrames: 1_024,
  /** … and wait for the disk as long as a connection with refused ones has so many on their way to it … */
  refusedOfOne: 256,
  /** … or fewer, since all such connections together have so many … */
  refusedOnTheirWay: 2_048,
  /** … but each has some. */
  refusedLeast: 16,
  /** Bytes of frames that wait to be taken, over all connections of a process: beyond it the one with most is cut. */
  waitingFrameBytes: 128 * 1024 ** 2,
  /** With this many bytes waiting for a device, further acks wait as one. */
  ackBacklogBytes: 16 * 1024,
  /** Bytes of acks and rejects that may wait for a device that does not read. */
  maxDeviceBacklogBytes: 256 * 1024,
  /** Lines of the log that tell of one device and code; what follows within this time, in milliseconds, is told in one. */
  deviceLogMs: 60_000,
  /** Devices and codes that it keeps apart in that time; of the others it tells how many there were of each code. */
  deviceLogEntries: 1_000,
  /** Outboxes whose numbers are remembered per device: a spare unit, its predecessor, and room for reinstallations. */
  outboxesPerDevice: 8,
  /** Device connections at once (setting): about 10 KB of memory each. */
  maxConnections: 50_000,
  /** Of the files that a process may have open connections leave so many, or a quarter, to the journal, the store and the rest. */
  reservedFiles: 256,
  /** Devices whose numbers are remembered (setting): about 150 bytes of memory each. */
  maxDevices: 1_000_000,

  /** Dead letters kept (setting); the oldest go first. */
  maxDeadLetters: 100_000,
  /** Bytes of dead letters kept (setting). */
  maxDeadLetterBytes: 256 * 1024 * 1024,
  /** A dead letter is kept this long (setting), in milliseconds: 30 days. */
  maxDeadLetterAgeMs: 30 * 86_400_000,
  /** The part of both that one device may have while others have letters, too: beyond it its own oldest go first … */
  deadLetterShare: 0.1,
  /** … unless it has fewer than these, however narrow the limits are. */
  deadLetterLeast: 10,
  /** Refused frames of one device that become dead letters at once; then as many a second. The others are counted only. */
  deadLetterBurst: 10_000,
  deadLettersPerS: 100,
  /** Of these so many come out of nobody else's … */
  ownLetterBurst: 100,
  ownLettersPerS: 1,
  /** … and the others out of these, which all devices share: as many as one may have. */
  commonLetterBurst: 10_000,
  commonLettersPerS: 100,
  /** Devices without dead letters of which it is remembered how many they had of late. */
  emptyLetterShares: 1_000,
  /** Writing a dead letter takes as long as writing so many bytes of frames: what one commit takes is counted so. */
  deadLetterWeight: 1_024,
  deadLettersPerBatch: 1_000,
} as const;
