import type { ChildProcess } from 'node:child_process';
import { type BirpcReturn, createBirpc } from 'birpc';
import { type ErrorCode, ERRORS, MillraceError, messageOf } from '../core/index.ts';

/** What an error is to the process that did not throw it. */
export interface PlainError {
  code: ErrorCode;
  message: string;
}

/** The way to another process: what is posted arrives in that order. */
export interface Channel {
  post(message: unknown): void;
  /** Called with all that arrives; set once. */
  listen(listener: (message: unknown) => void): void;
}

/** Node's own channel between a process and the one that forked it. */
export function nodeChannel(peer: Pick<ChildProcess, 'send' | 'on'> | NodeJS.Process): Channel {
  return {
    // What cannot be sent any more is answered by the end of the other process.
    post: (message) => void peer.send?.(message as object, undefined, undefined, () => {}),
    listen: (listener) => void peer.on('message', listener),
  };
}

/** Calls between two processes. Errors keep their codes on the way. */
export function connect<Theirs extends object, Ours extends object>(
  channel: Channel,
  ours: Ours,
): BirpcReturn<Theirs, Ours> {
  return createBirpc<Theirs, Ours>(ours, {
    post: (message: unknown) => channel.post(message),
    on: (listener) => channel.listen(listener),
    serialize: (message: { e?: unknown }) =>
      message.e === undefined ? message : { ...message, e: plain(message.e) },
    deserialize: (message: { e?: PlainError }) =>
      message.e === undefined ? message : { ...message, e: fromPlain(message.e) },
    bind: 'functions',
    // The other side may take its time; whoever asks limits how long it waits.
    timeout: -1,
  });
}

export function plain(error: unknown): PlainError {
  const code = error instanceof MillraceError && error.code in ERRORS ? error.code : 'internal';
  return { code, message: messageOf(error) };
}

export function fromPlain({ code, message }: PlainError): MillraceError {
  return new MillraceError(code, message);
}
