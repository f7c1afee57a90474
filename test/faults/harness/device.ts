import { WebSocket } from 'ws';
import { IngestClient } from '../../../src/client/index.ts';

export interface Reading {
  timeMs: number;
  value: number;
}

/** A frame as the model knows it: number k of its device is `frames[k - 1]`. */
export interface Frame {
  bytes: Buffer;
  /** Empty for a bad frame, which the server has to refuse. */
  readings: readonly Reading[];
  bad: boolean;
}

interface Told {
  type: string;
  seq: number;
  epoch: string;
  maxUnacked: number;
}

/**
 * What one device sent and was told, and the rules that the contract makes for it. It is no part of the
 * connection: it only listens, and collects what was broken in `broken`.
 */
export class DeviceModel {
  readonly id: string;
  readonly frames: Frame[] = [];
  readonly broken: string[] = [];
  /** Everything up to here is acknowledged. */
  acked = 0;
  welcomes = 0;
  /** Numbers of bad frames whose refusal was told. */
  readonly refused = new Set<number>();
  #epoch: string | null = null;
  /** The last number ever sent. */
  #highest = 0;
  /** The same on the present connection; null before its welcome. */
  #sent: number | null = null;

  constructor(id: string) {
    this.id = id;
  }

  get settled(): boolean {
    return this.acked === this.frames.length;
  }

  /** Bytes of a frame that may or may not have reached the server whole. */
  sentRaw(seq: number): void {
    this.#highest = Math.max(this.#highest, seq);
  }

  sending(bytes: Uint8Array): void {
    if (this.#sent === null) return this.#break('sent before the welcome');
    const seq = (this.#sent += 1);
    this.sentRaw(seq);
    const frame = this.frames[seq - 1];
    if (frame === undefined || !frame.bytes.equals(bytes)) this.#break(`sent a wrong frame as ${seq}`);
  }

  told(message: Told): void {
    if (message.type === 'welcome') this.#welcomed(message);
    else if (message.type === 'ack') this.#acknowledged(message.seq);
    else if (message.type === 'reject') this.#rejected(message.seq);
  }

  /** The connection is gone. */
  disconnected(): void {
    this.#sent = null;
  }

  #welcomed({ seq, epoch }: Told): void {
    this.welcomes += 1;
    this.#epoch ??= epoch;
    if (epoch !== this.#epoch) this.#break(`the epoch changed from ${this.#epoch} to ${epoch}`);
    if (seq < this.acked) this.#break(`welcomed at ${seq}, but ${this.acked} was acknowledged`);
    if (seq > this.#highest) this.#break(`welcomed at ${seq}, but ${this.#highest} was the last one sent`);
    this.acked = Math.max(this.acked, seq);
    this.#sent = seq;
  }

  #acknowledged(seq: number): void {
    if (this.#sent === null || seq > this.#sent) this.#break(`ack of ${seq}, sent up to ${this.#sent}`);
    for (let number = this.acked + 1; number <= seq; number++) {
      const bad = this.frames[number - 1]?.bad === true;
      if (bad && !this.refused.has(number)) this.#break(`bad frame ${number} was acknowledged unrefused`);
    }
    this.acked = Math.max(this.acked, seq);
  }

  #rejected(seq: number): void {
    if (this.frames[seq - 1]?.bad !== true) this.#break(`good frame ${seq} was refused`);
    if (seq <= this.acked) this.#break(`frame ${seq} was refused behind its ack`);
    this.refused.add(seq);
  }

  #break(what: string): void {
    this.broken.push(`${this.id}: ${what}`);
  }
}

/** A WebSocket whose traffic the model hears first. */
function listeningSocket(
  model: DeviceModel,
): new (url: string | URL, protocols?: string | string[]) => WebSocket {
  return class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.on('message', (data: Buffer) => model.told(JSON.parse(data.toString('utf8')) as Told));
      this.on('close', () => model.disconnected());
    }

    override send(data: Buffer | Uint8Array): void {
      model.sending(data);
      super.send(data);
    }
  };
}

/** Something that brings a model's frames to the server, whatever happens to either. */
export interface Driver {
  /** Frames were added. */
  pump(): void;
  close(): void;
}

const RECONNECT_MS = 20;

/** The contract and nothing else: keeps frames, sends those behind welcome.seq, comes back 20 ms after a close. */
export class PlainDriver implements Driver {
  readonly #model: DeviceModel;
  readonly #url: string;
  #socket: WebSocket | null = null;
  #next: number | null = null;
  #window = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(model: DeviceModel, wsUrl: string) {
    this.#model = model;
    this.#url = `${wsUrl}/v1/ingest?device=${model.id}`;
    this.#connect();
  }

  #connect(): void {
    const socket = new (listeningSocket(this.#model))(this.#url);
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString('utf8')) as Told;
      if (message.type === 'welcome') {
        this.#next = message.seq + 1;
        this.#window = message.maxUnacked;
      }
      this.pump();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#next = null;
      if (!this.#closed) this.#timer = setTimeout(() => this.#connect(), RECONNECT_MS);
    });
  }

  pump(): void {
    const { frames, acked } = this.#model;
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    while (this.#next !== null && this.#next <= frames.length && this.#next - acked <= this.#window) {
      const frame = frames[this.#next - 1];
      if (frame !== undefined) this.#socket.send(frame.bytes);
      this.#next += 1;
    }
  }

  /** Drops the connection as a bad network does; it comes back by itself. */
  cut(): void {
    this.#socket?.terminate();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#socket?.terminate();
  }
}

/** The project's own client library, with its outbox. */
export class ClientDriver implements Driver {
  readonly #model: DeviceModel;
  readonly #client: IngestClient;
  #given = 0;

  /** `random` in [0, 1): small numbers reconnect fast. */
  constructor(model: DeviceModel, wsUrl: string, random: () => number) {
    this.#model = model;
    this.#client = new IngestClient({
      url: wsUrl,
      device: model.id,
      WebSocket: listeningSocket(model),
      random,
      outbox: { maxFrames: 1_000_000, maxBytes: 1024 ** 3 },
    });
  }

  pump(): void {
    for (const { frames } = this.#model; this.#given < frames.length; this.#given++) {
      const frame = frames[this.#given];
      if (frame !== undefined) this.#client.send(frame.bytes, Math.max(1, frame.readings.length));
    }
  }

  close(): void {
    this.#client.close();
  }
}
