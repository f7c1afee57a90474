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

/** What one device sent and was told, on all of its connections, and what was broken of the contract. */
export class DeviceModel {
  readonly id: string;
  /** Null: its numbers are those of its name. All of its drivers have the same. */
  readonly outboxId: string | null;
  readonly frames: Frame[] = [];
  readonly broken: string[] = [];
  /** Everything up to here is acknowledged. */
  acked = 0;
  /** The last number ever sent, whole or not. */
  highest = 0;
  epoch: string | null = null;

  constructor(id: string, outboxId: string | null = null) {
    this.id = id;
    this.outboxId = outboxId;
  }

  get settled(): boolean {
    return this.acked === this.frames.length;
  }

  break(what: string): void {
    this.broken.push(`${this.id}: ${what}`);
  }
}

/** The rules of one connection. It only listens: what it hears moves the model on. */
class ConnectionModel {
  readonly #model: DeviceModel;
  readonly #refused = new Set<number>();
  /** The last number sent and acknowledged on this connection; null before its welcome. */
  #sent: number | null = null;
  #acked = 0;

  constructor(model: DeviceModel) {
    this.#model = model;
  }

  sending(bytes: Uint8Array): void {
    const model = this.#model;
    if (this.#sent === null) return model.break('sent before the welcome');
    const seq = (this.#sent += 1);
    model.highest = Math.max(model.highest, seq);
    if (model.frames[seq - 1]?.bytes.equals(bytes) !== true) model.break(`sent a wrong frame as ${seq}`);
  }

  told(message: Told): void {
    if (message.type === 'welcome') this.#welcomed(message);
    else if (message.type === 'ack') this.#acknowledged(message.seq);
    else if (message.type === 'reject') this.#rejected(message.seq);
  }

  #welcomed({ seq, epoch }: Told): void {
    const model = this.#model;
    model.epoch ??= epoch;
    if (epoch !== model.epoch) model.break(`the epoch changed from ${model.epoch} to ${epoch}`);
    if (seq < model.acked) model.break(`welcomed at ${seq}, but ${model.acked} was acknowledged`);
    if (seq > model.highest) model.break(`welcomed at ${seq}, but ${model.highest} was the last one sent`);
    model.acked = Math.max(model.acked, seq);
    this.#sent = this.#acked = seq;
  }

  #acknowledged(seq: number): void {
    const model = this.#model;
    if (this.#sent === null || seq > this.#sent) model.break(`ack of ${seq}, sent up to ${this.#sent}`);
    for (let number = this.#acked + 1; number <= seq; number++) {
      const bad = model.frames[number - 1]?.bad === true;
      if (bad && !this.#refused.has(number)) model.break(`bad frame ${number} was acknowledged unrefused`);
    }
    if (seq < this.#acked) model.break(`the ack went back from ${this.#acked} to ${seq}`);
    this.#acked = seq;
    model.acked = Math.max(model.acked, seq);
  }

  #rejected(seq: number): void {
    const model = this.#model;
    if (model.frames[seq - 1]?.bad !== true) model.break(`good frame ${seq} was refused`);
    if (seq <= this.#acked) model.break(`frame ${seq} was refused behind its ack`);
    this.#refused.add(seq);
  }
}

/** A WebSocket whose traffic the model hears first. */
function listeningSocket(
  model: DeviceModel,
): new (url: string | URL, protocols?: string | string[]) => WebSocket {
  return class extends WebSocket {
    readonly #rules = new ConnectionModel(model);

    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.on('message', (data: Buffer) => this.#rules.told(JSON.parse(data.toString('utf8')) as Told));
    }

    override send(data: Buffer | Uint8Array): void {
      this.#rules.sending(data);
      super.send(data);
    }
  };
}

/** Something that brings a model's frames to the server, whatever happens to either. */
export interface Driver {
  /** Frames were added. */
  pump(): void;
  /** Drops the connection as a bad network does, where it can; it comes back by itself. */
  cut(): void;
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
  /** How the last connection that ended did. */
  closeCode: number | null = null;

  constructor(model: DeviceModel, wsUrl: string) {
    this.#model = model;
    this.#url = `${wsUrl}/v1/ingest?device=${model.id}${model.outboxId === null ? '' : `&outbox=${model.outboxId}`}`;
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
    socket.on('close', (code) => {
      this.#next = null;
      this.closeCode = code;
      // 4500 and above: don't come back as you are.
      if (code >= 4500) this.#closed = true;
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

  cut(): void {
    this.#socket?.terminate();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#socket?.terminate();
  }
}

/** Connections of one device that push each other out: whichever came last has to send what there is. */
export class RivalDrivers implements Driver {
  readonly #drivers: Driver[];

  constructor(drivers: readonly Driver[]) {
    this.#drivers = [...drivers];
  }

  add(driver: Driver): void {
    this.#drivers.push(driver);
  }

  pump(): void {
    for (const driver of this.#drivers) driver.pump();
  }

  cut(): void {
    for (const driver of this.#drivers) driver.cut();
  }

  close(): void {
    for (const driver of this.#drivers) driver.close();
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
      saved: { id: model.outboxId, epoch: null, base: 0, frames: [] },
      onNumbersFault: ({ kind, seq }) => model.break(`its client was welcomed ${kind}, at ${seq}`),
    });
  }

  pump(): void {
    for (const { frames } = this.#model; this.#given < frames.length; this.#given++) {
      const frame = frames[this.#given];
      if (frame !== undefined) this.#client.send(frame.bytes, Math.max(1, frame.readings.length));
    }
  }

  /** Its sockets are its own. */
  cut(): void {}

  close(): void {
    this.#client.close();
  }
}
