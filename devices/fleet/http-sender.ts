import * as http from 'node:http';
import * as https from 'node:https';
import { reconnectDelayMs, verdictOfStatus, type KeptFrame } from '../../src/client/index.ts';
import type { FrameSender, SenderContext, SenderEvents, Senders } from './sender.ts';

/** A request without an answer for this long is sent again, in milliseconds. */
const ANSWER_TIMEOUT_MS = 60_000;

/** Devices that post each frame in a request of its own, over a connection that each keeps. */
export function openHttpSenders(context: SenderContext): Senders {
  const address = new URL(context.url.replace(/^ws/, 'http'));
  if (address.pathname === '/') address.pathname = '/v1/frames';
  const { Agent, request } = address.protocol === 'https:' ? https : http;
  const agent = new Agent({ keepAlive: true });
  const post: Post = (device, onAnswer) =>
    request(
      address,
      {
        method: 'POST',
        agent,
        timeout: ANSWER_TIMEOUT_MS,
        headers: { 'Content-Type': 'avro/binary', 'X-Device': device },
      },
      onAnswer,
    );
  return {
    open: (device, random, events) => new HttpSender(context, post, device, random, events),
    close: () => agent.destroy(),
  };
}

type Post = (device: string, onAnswer: (answer: http.IncomingMessage) => void) => http.ClientRequest;

/** What became of a request; null where there was no answer. */
interface Outcome {
  status: number | null;
  /** The problem's code, or why there is no answer. */
  code: string;
  detail: string;
  retryAfterMs: number;
}

/**
 * One frame at a time, the oldest first, each until it is answered: an answer means that it is on disk, was there
 * already, or is refused. The gateway knows a frame that comes again by its content.
 */
class HttpSender implements FrameSender {
  readonly #context: SenderContext;
  readonly #post: Post;
  readonly #device: string;
  readonly #random: () => number;
  readonly #events: SenderEvents;
  readonly #kept: KeptFrame[] = [];
  #keptBytes = 0;
  /** A request is under way, or waited for. */
  #busy = false;
  #connected = false;
  #stopped = false;
  #attempt = 0;
  #request: http.ClientRequest | null = null;
  #cancelWait: () => void = () => {};
  #waiters: (() => void)[] = [];

  constructor(
    context: SenderContext,
    post: Post,
    device: string,
    random: () => number,
    events: SenderEvents,
  ) {
    this.#context = context;
    this.#post = post;
    this.#device = device;
    this.#random = random;
    this.#events = events;
  }

  get connected(): boolean {
    return this.#connected;
  }

  send(bytes: Uint8Array, readings: number): boolean {
    const { maxFrames, maxBytes } = this.#context.outbox;
    const isFull = this.#kept.length >= maxFrames || this.#keptBytes + bytes.length > maxBytes;
    if (this.#stopped || isFull) return false;
    this.#kept.push({ bytes, readings, sentAtMs: null, refusal: null });
    this.#keptBytes += bytes.length;
    this.#pump();
    return true;
  }

  neverSent(): KeptFrame[] {
    return this.#kept.filter(({ sentAtMs }) => sentAtMs === null);
  }

  async flushed(timeoutMs: number): Promise<void> {
    if (this.#kept.length === 0 || this.#stopped) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#context.timers.after(timeoutMs, resolve);
      this.#waiters.push(() => {
        cancel();
        resolve();
      });
    });
  }

  close(): void {
    this.#stopped = true;
    this.#cancelWait();
    this.#request?.destroy();
    this.#wake();
  }

  #pump(): void {
    const [frame] = this.#kept;
    if (frame === undefined) this.#wake();
    else if (!this.#busy && !this.#stopped) void this.#send(frame);
  }

  async #send(frame: KeptFrame): Promise<void> {
    this.#busy = true;
    frame.sentAtMs ??= this.#context.timers.nowMs();
    const outcome = await this.#exchange(frame.bytes);
    this.#busy = false;
    if (!this.#stopped) this.#judge(frame, outcome);
  }

  #exchange(bytes: Uint8Array): Promise<Outcome> {
    return new Promise((resolve) => {
      const none = (detail: string): void =>
        resolve({ status: null, code: 'no answer', detail, retryAfterMs: 0 });
      const request = this.#post(this.#device, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.once('error', (error) => none(error.message));
        answer.once('end', () => resolve(outcomeOf(answer, text)));
      });
      this.#request = request;
      request.once('timeout', () => request.destroy(new Error('no answer in time')));
      request.once('error', (error) => none(error.message));
      request.end(bytes);
    });
  }

  #judge(frame: KeptFrame, { status, code, detail, retryAfterMs }: Outcome): void {
    if (status === 200 || status === 413 || status === 422) {
      this.#reached();
      if (status !== 200) frame.refusal = { code, message: detail };
      this.#kept.shift();
      this.#keptBytes -= frame.bytes.length;
      this.#events.onSettled(frame, this.#context.timers.nowMs());
      this.#pump();
    } else if (status === null || verdictOfStatus(status) === 'retry') {
      this.#connected = false;
      this.#events.onTrouble(status === null ? detail : `${status} ${code}`);
      const delayMs = retryAfterMs + reconnectDelayMs(this.#attempt++, this.#random);
      this.#busy = true;
      this.#cancelWait = this.#context.timers.after(delayMs, () => {
        this.#busy = false;
        this.#pump();
      });
    } else {
      this.#stopped = true;
      this.#connected = false;
      this.#events.onStopped(`${status} ${code}`);
      this.#wake();
    }
  }

  #reached(): void {
    this.#attempt = 0;
    if (this.#connected) return;
    this.#connected = true;
    this.#events.onConnected();
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

function outcomeOf(answer: http.IncomingMessage, text: string): Outcome {
  const status = answer.statusCode ?? 0;
  const retryAfterMs = Number(answer.headers['retry-after'] ?? 0) * 1_000 || 0;
  if (status === 200) return { status, code: '', detail: '', retryAfterMs };
  try {
    const { code = '', detail = '' } = JSON.parse(text) as { code?: string; detail?: string };
    return { status, code, detail, retryAfterMs };
  } catch {
    return { status, code: '', detail: text.slice(0, 100), retryAfterMs };
  }
}
