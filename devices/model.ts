/** The stretch of time that one frame covers, in whole epoch milliseconds: after `fromMs`, up to `untilMs`. */
export interface FrameSpan {
  fromMs: number;
  untilMs: number;
  /** Readings wanted; at most one per millisecond. */
  count: number;
}

/** A record as avsc encodes it: bare union values, times as epoch milliseconds. */
export type FrameRecord = Readonly<Record<string, unknown>>;

/** One simulated device. The same seed, index and spans give the same frames. */
export interface DeviceSource {
  /**
   * The readings of one frame, exactly `count` of them, or null while the device is silent. Spans follow
   * one another without overlap. No two readings of a device ever share a time, and each has a value.
   */
  next(span: FrameSpan): FrameRecord | null;
}

export interface DeviceModel {
  readonly name: string;
  /** The schema's file in schemas/. */
  readonly schemaFile: string;
  create(seed: number, index: number): DeviceSource;
}
