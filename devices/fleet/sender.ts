import type { KeptFrame, OutboxLimits, Timers } from '../../src/client/index.ts';

/** What becomes of a device's frames, and of its way to the gateway. */
export interface SenderEvents {
  /** A frame's fate: taken (`refusal` null), or refused. Once per frame. */
  onSettled(frame: KeptFrame, nowMs: number): void;
  /** The gateway can be reached: at first, and each time after it could not. */
  onConnected(): void;
  /** The gateway's numbers cannot be; only of transports that number frames. */
  onNumbersFault(kind: string): void;
  /** It could not be reached, or not now, and is tried again. */
  onTrouble(reason: string): void;
  /** It is not tried again. */
  onStopped(reason: string): void;
}

/** A device's outbox and its way to the gateway: each frame is kept until it is settled. */
export interface FrameSender {
  readonly connected: boolean;
  /** False when the outbox is full, or the sender has stopped: the frame is not kept. */
  send(bytes: Uint8Array, readings: number): boolean;
  /** Of the frames that are kept those that were not sent even once. */
  neverSent(): KeptFrame[];
  /** Resolves when every frame is settled, when it has stopped, or after this time. */
  flushed(timeoutMs: number): Promise<unknown>;
  close(): void;
}

/** What the senders of a fleet share. */
export interface SenderContext {
  url: string;
  timers: Timers;
  outbox: OutboxLimits;
}

/** All senders of one run. */
export interface Senders {
  open(device: string, random: () => number, events: SenderEvents): FrameSender;
  /** Lets go of what they share, once each is closed. */
  close(): void;
}
