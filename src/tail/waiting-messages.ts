import { LIMITS, MillraceError } from '../core/index.ts';

/** Messages that a client has sent and that are not taken yet, in their order. */
export class WaitingMessages {
  readonly #messages: Buffer[] = [];
  #bytes = 0;

  get empty(): boolean {
    return this.#messages.length === 0;
  }

  /** Keeps a copy. Throws `too_many_messages` beyond the bounds. */
  put(message: Uint8Array): void {
    const { tailWaitingMessages: most, tailWaitingBytes: mostBytes } = LIMITS;
    if (this.#messages.length >= most || this.#bytes + message.length > mostBytes) {
      const bounds = `more than ${most} messages or ${mostBytes} bytes of them`;
      throw new MillraceError('too_many_messages', `${bounds} came before the client had read the answers`);
    }
    this.#messages.push(Buffer.from(message));
    this.#bytes += message.length;
  }

  take(): string | null {
    const message = this.#messages.shift();
    if (message === undefined) return null;
    this.#bytes -= message.length;
    return message.toString('utf8');
  }
}
