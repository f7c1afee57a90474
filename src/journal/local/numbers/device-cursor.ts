/** How far the numbers of a device, or of one of its outboxes, have come. */
export interface DeviceCursor {
  /** On disk. */
  durable: number;
  /** In the transaction under way; equal to `durable` when there is none. */
  committing: number;
  /** Taken, on disk or not. */
  taken: number;
}
