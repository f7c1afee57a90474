/** One way by which frames come in, such as the WebSocket, in one process. */
export interface WayIn {
  /** Connections of devices that are open; a way in that keeps none has 0. */
  readonly connections: number;
  /**
   * Says that the end comes; resolves when what came before is with the journal. What was begun goes on: it will be on
   * disk when `end` is called.
   */
  goaway(reason: string): void | Promise<void>;
  /** Ends what is left: everything that came is on disk, or will not be. */
  end(): void;
}
