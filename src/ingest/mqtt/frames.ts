import { isDeviceId, MillraceError, printable } from '../../core/index.ts';
import { asMillraceError } from '../../net/index.ts';
import type { IngestHub } from '../hub.ts';
import { AcksInOrder, type Unacknowledged } from './acks-in-order.ts';
import { REASON, type PubackReason } from './reasons.ts';

/** Characters of a topic that a message quotes. */
const TOPIC_CHARS = 100;

export interface MqttFramesListener {
  /** The packet is done with: on disk, known, or refused and kept. Called in the order of the packets. */
  acknowledge(messageId: number, reason: PubackReason): void;
  /** Bytes of one packet are held no more. */
  released(): void;
  /** Of this packet nothing is known: it has to be sent again, and is never acknowledged here. */
  failed(error: MillraceError): void;
}

/** The frames of one connection on their way to the disk, and the acknowledgements that wait for it. */
export class MqttFrames {
  readonly #hub: IngestHub;
  readonly #told: MqttFramesListener;
  readonly #acks: AcksInOrder;
  #bytes = 0;

  constructor(hub: IngestHub, told: MqttFramesListener) {
    this.#hub = hub;
    this.#told = told;
    this.#acks = new AcksInOrder((messageId, reason) => told.acknowledge(messageId, reason));
  }

  /** Packets that wait for their acknowledgement. */
  get unacknowledged(): number {
    return this.#acks.size;
  }

  /** Bytes of frames that are not on disk yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A packet came; `messageId` is null for one of QoS 0, which nobody acknowledges. */
  take(device: string | null, topic: string, payload: Uint8Array, messageId: number | null): void {
    const packet = messageId === null ? null : this.#acks.add(messageId);
    if (device !== null && isDeviceId(device)) {
      void this.#journal(device, payload, packet);
      return;
    }
    this.#refuseTopic(topic);
    if (packet !== null) this.#acks.settle(packet, REASON.topicNameInvalid);
  }

  async #journal(device: string, payload: Uint8Array, packet: Unacknowledged | null): Promise<void> {
    this.#bytes += payload.length;
    try {
      const { rejected } = await this.#hub.intake.take(device, 'mqtt', [payload], 'withhold');
      const reason = rejected.length > 0 ? REASON.payloadFormatInvalid : REASON.success;
      if (packet !== null) this.#acks.settle(packet, reason);
    } catch (error) {
      this.#told.failed(asMillraceError(error));
    } finally {
      this.#bytes -= payload.length;
      this.#told.released();
    }
  }

  /** A frame of no device has no place among the dead letters: it is counted and told. */
  #refuseTopic(topic: string): void {
    const { onFrame, log } = this.#hub.parts;
    const shown = printable(topic.slice(0, TOPIC_CHARS));
    onFrame('device_invalid');
    log.turnedAway(null, new MillraceError('device_invalid', `the topic names no device: ${shown}`));
  }
}
