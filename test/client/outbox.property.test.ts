import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Outbox } from '../../src/client/index.ts';
import type { IngestServerMessage, KeptFrame } from '../../src/client/index.ts';

const LIMITS = { maxFrames: 1_000, maxBytes: 100_000 };
const WINDOW = { maxFrameBytes: 100, maxUnacked: 5, maxUnackedBytes: 40 };

/** The gateway as the contract describes it: takes frames, makes them durable later, may lose its journal. */
class GatewayModel {
  epoch = 1;
  /** Frames of all epochs in the order in which they were stored for good. */
  readonly stored: number[] = [];
  /** Number of the device's last durable frame. */
  #durable = 0;
  #taken: number[] = [];
  #base = 0;

  take(frame: number): IngestServerMessage[] {
    this.#taken.push(frame);
    const seq = this.#durable + this.#taken.length;
    return isBad(frame) ? [{ type: 'reject', seq, code: 'bad', message: '' }] : [];
  }

  commit(): void {
    this.stored.push(...this.#taken.filter((frame) => !isBad(frame)));
    this.#durable += this.#taken.length;
    this.#taken = [];
  }

  ack(): IngestServerMessage {
    return { type: 'ack', seq: this.#durable };
  }

  crash(): void {
    this.#taken = [];
  }

  /** The journal is lost with all that nobody was told of; `told` frames had reached the store. */
  replaceJournal(told: number): void {
    this.crash();
    this.epoch += 1;
    this.stored.splice(told);
    this.#base += 3;
    this.#durable = this.#base;
  }

  welcome(): IngestServerMessage {
    return { type: 'welcome', device: 'd', epoch: `e${this.epoch}`, seq: this.#durable, ...WINDOW };
  }
}

const isBad = (frame: number) => frame % 7 === 3;

/** Device, gateway and the two directions of a wire that can be cut between any two messages. */
class World {
  readonly gateway = new GatewayModel();
  outbox = new Outbox(LIMITS);
  faults = 0;
  readonly settled: KeptFrame[] = [];
  made = 0;
  #up: number[] = [];
  #down: IngestServerMessage[] = [];
  #connected = false;

  make(): void {
    this.outbox.add(new Uint8Array(8).fill(this.made++), 1);
    this.#send();
  }

  arriveUp(count: number): void {
    for (const frame of this.#up.splice(0, count)) this.#down.push(...this.gateway.take(frame));
  }

  commit(tell: boolean): void {
    this.gateway.commit();
    if (tell && this.#connected) this.#down.push(this.gateway.ack());
  }

  arriveDown(count: number): void {
    for (const message of this.#down.splice(0, count)) {
      if (message.type === 'welcome') {
        const { durable, fault } = this.outbox.welcome(message);
        this.settled.push(...durable);
        if (fault !== null) this.faults += 1;
      }
      if (message.type === 'ack') this.settled.push(...this.outbox.ack(message.seq));
      if (message.type === 'reject') this.outbox.reject(message.seq, message.code, message.message);
      this.#send();
    }
  }

  cut(kind: 'network' | 'crash' | 'journal' | 'restart'): void {
    if (kind === 'network' || kind === 'restart') this.gateway.commit();
    if (kind === 'crash') this.gateway.crash();
    if (kind === 'journal') {
      this.gateway.replaceJournal(this.settled.filter((frame) => !isBad(numberOf(frame))).length);
    }
    this.#up = [];
    this.#down = [];
    this.#connected = false;
    this.outbox.disconnect();
    // The device's own: what it has written down is all that is left.
    if (kind === 'restart') this.outbox = new Outbox(LIMITS, this.outbox.save());
  }

  connect(): void {
    if (this.#connected) return;
    this.#connected = true;
    this.#down.push(this.gateway.welcome());
  }

  finish(): void {
    this.connect();
    for (let round = 0; this.outbox.size > 0 && round < 1_000; round++) {
      this.arriveDown(1_000);
      this.arriveUp(1_000);
      this.commit(true);
    }
  }

  #send(): void {
    for (let frame = this.outbox.next(0); frame !== undefined; frame = this.outbox.next(0)) {
      this.#up.push(numberOf(frame));
      expect(this.outbox.inFlight).toBeLessThanOrEqual(WINDOW.maxUnacked);
    }
  }
}

const numberOf = (frame: KeptFrame) => frame.bytes[0] ?? -1;

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant((world: World) => world.make()) },
  { weight: 4, arbitrary: fc.nat(4).map((n) => (world: World) => world.arriveUp(n)) },
  { weight: 4, arbitrary: fc.nat(4).map((n) => (world: World) => world.arriveDown(n)) },
  { weight: 3, arbitrary: fc.boolean().map((tell) => (world: World) => world.commit(tell)) },
  { weight: 3, arbitrary: fc.constant((world: World) => world.connect()) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('network' as const, 'crash' as const, 'journal' as const, 'restart' as const)
      .map((kind) => (world: World) => world.cut(kind)),
  },
);

test('whatever cuts, crashes, restarts and new epochs happen, every frame is stored exactly once and in order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const world = new World();
      for (const run of steps) run(world);
      world.finish();
      const all = Array.from({ length: world.made }, (_, i) => i);
      expect(world.gateway.stored).toEqual(all.filter((frame) => !isBad(frame)));
      expect(world.settled.map(numberOf)).toEqual(all);
      expect(world.outbox.sizeBytes).toBe(0);
      expect(world.faults).toBe(0);
      for (const frame of world.settled) {
        if (frame.refusal !== null) expect(isBad(numberOf(frame))).toBe(true);
      }
    }),
    { numRuns: 1_000 },
  );
});
