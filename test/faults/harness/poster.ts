import type { DeviceModel, Driver, Frame } from './device.ts';

interface Answer {
  accepted: number;
  duplicates: number;
  rejected: unknown[];
}

const RETRY_MS = 20;
/** A process that was killed may leave a request without an end. */
const ANSWER_MS = 5_000;
const MAX_FRAMES = 20;

/**
 * A device without numbers: posts its frames in requests, one at a time, to the way in of posted/way.mjs, and each again
 * until it is answered. `again` says whether to post one that was answered once more, as if the answer had been lost.
 */
export class Poster implements Driver {
  /** The processes that answered. */
  readonly answeredBy = new Set<number>();
  /** Frames that were known when they came again. */
  duplicates = 0;
  readonly #model: DeviceModel;
  readonly #url: string;
  readonly #again: () => boolean;
  #posting = false;
  #closed = false;
  readonly #ended = new AbortController();

  constructor(model: DeviceModel, httpUrl: string, again: () => boolean) {
    this.#model = model;
    this.#url = `${httpUrl}/test/frames?device=${model.id}`;
    this.#again = again;
  }

  pump(): void {
    if (!this.#posting) void this.#run();
  }

  cut(): void {}

  close(): void {
    this.#closed = true;
    this.#ended.abort();
  }

  async #run(): Promise<void> {
    const model = this.#model;
    this.#posting = true;
    while (!this.#closed && !model.settled) {
      const frames = model.frames.slice(model.acked, model.acked + MAX_FRAMES);
      await this.#post(frames, false);
      if (this.#again()) await this.#post(frames, true);
      if (!this.#closed) model.acked += frames.length;
    }
    this.#posting = false;
  }

  /** `known`: it has been answered before. */
  async #post(frames: readonly Frame[], known: boolean): Promise<void> {
    let answer: Answer | null = null;
    while (answer === null && !this.#closed) {
      answer = await this.#try(frames).catch(() => null);
      if (answer === null) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    if (answer === null) return;
    const { accepted, duplicates, rejected } = answer;
    this.duplicates += duplicates;
    if (accepted + duplicates !== frames.length || rejected.length > 0) {
      this.#model.break(`${frames.length} frames were answered with ${JSON.stringify(answer)}`);
    }
    if (known && accepted > 0) this.#model.break(`${accepted} frames were taken a second time`);
  }

  /** Null when it is to be sent again. On a connection of its own, which any process may get. */
  async #try(frames: readonly Frame[]): Promise<Answer | null> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { Connection: 'close' },
      body: frames.map(({ bytes }) => bytes.toString('base64')).join('\n'),
      signal: AbortSignal.any([this.#ended.signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    const text = await response.text();
    if (response.status !== 200) {
      if (response.status !== 503) this.#model.break(`answered ${response.status} ${text}`);
      return null;
    }
    this.answeredBy.add(Number(response.headers.get('test-process')));
    return JSON.parse(text) as Answer;
  }
}
