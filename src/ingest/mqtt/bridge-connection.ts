import { readFileSync } from 'node:fs';
import type mqttPackage from 'mqtt';
import type { IClientOptions, MqttClient } from 'mqtt';
import { writeToStream } from 'mqtt-packet';
import { LIMITS, messageOf, type FrameTopic, type MillraceError } from '../../core/index.ts';
import type { IngestHub } from '../hub.ts';
import { MqttFrames } from './frames.ts';
import type { PubackReason } from './reasons.ts';

/** The package, loaded by whoever has a bridge. */
export type MqttPackage = Pick<typeof mqttPackage, 'connect'>;

/** As a CONNECT packet numbers them. */
export type MqttVersion = 4 | 5;

export interface BrokerAddress {
  /** May have a user and a password, which are for the broker alone. */
  url: string;
  topic: FrameTopic;
  clientId: string;
  /** PEM files; read for each connection, so that renewed ones are taken up. */
  caFile: string | null;
  certFile: string | null;
  keyFile: string | null;
}

/** Why a connection is over. */
export interface Departure {
  /** `refused`: the broker was there and said no. `lost`: it was not, or went away. */
  kind: 'refused' | 'lost';
  reason: string;
  /**
   * Whether it may be for the version: `refused` when the broker says so, `silent` when it closed the connection without a
   * word, as old ones do and such as are about to stop, and null when it is not.
   */
  version: 'refused' | 'silent' | null;
}

export interface BridgeConnectionListener {
  /** It is subscribed; `resumed` says whether the broker had kept the session. */
  up(resumed: boolean): void;
  /** A frame cannot be taken now. */
  failed(error: MillraceError): void;
  /** The connection is over; called once. */
  gone(departure: Departure): void;
}

/** MQTT.js sends no PUBACK for a packet whose handler ends with an error, and goes on with the next one. */
const LATER = new Error('acknowledged when it is on disk');
/** Reason codes of CONNACK by which a broker says that it does not speak the version. */
const WRONG_VERSION: readonly number[] = [0x01, 0x84];

/**
 * One connection to a broker. Each packet is acknowledged by itself when its frame is on disk: MQTT.js would wait with
 * all that follow, so it is told that nothing is to be acknowledged, and the PUBACK is written here. A connection is
 * never used again, so that no PUBACK can meet the packet of another session.
 */
export class BridgeConnection {
  readonly #address: BrokerAddress;
  readonly #version: MqttVersion;
  readonly #told: BridgeConnectionListener;
  readonly #client: MqttClient;
  readonly #frames: MqttFrames;
  /** What goes on reading, where too much waits for the disk. */
  #paused: (() => void) | null = null;
  #over = false;
  /** Why the connection ends, as far as that is known before it does. */
  #why: Departure = { kind: 'lost', reason: 'the broker closed the connection', version: 'silent' };
  /** Packets that the broker sent a second time. */
  redelivered = 0;

  constructor(
    mqtt: MqttPackage,
    hub: IngestHub,
    address: BrokerAddress,
    version: MqttVersion,
    told: BridgeConnectionListener,
  ) {
    this.#address = address;
    this.#version = version;
    this.#told = told;
    this.#frames = new MqttFrames(hub, {
      acknowledge: (messageId, reason) => this.#acknowledge(messageId, reason),
      released: () => this.#resume(),
      failed: (error) => {
        if (!this.#over) told.failed(error);
      },
    });
    const [url, options] = connectOptions(address, version);
    this.#client = mqtt.connect(url, options);
    this.#client.handleMessage = ({ topic, payload, messageId, qos, dup }, next) => {
      if (!this.#over) {
        if (dup) this.redelivered++;
        const device = address.topic.deviceOf(topic);
        this.#frames.take(device, topic, bytesOf(payload), qos === 0 ? null : (messageId ?? null));
      }
      const goOn = (): void => next(LATER);
      if (this.#frames.bytes > LIMITS.bridgeBytes) this.#paused = goOn;
      else goOn();
    };
    this.#client.on('connect', ({ sessionPresent }) => this.#subscribe(sessionPresent));
    this.#client.on('disconnect', ({ reasonCode = 0, properties }) => {
      const words = properties?.reasonString ?? '';
      this.#lose(`the broker ended the connection: ${hex(reasonCode)} ${words}`.trim());
    });
    this.#client.on('error', (error) => this.#failed(error));
    this.#client.on('close', () => this.#end());
  }

  /** Packets that wait for their acknowledgement. */
  get unacknowledged(): number {
    return this.#frames.unacknowledged;
  }

  /** Leaves the broker, which keeps the session with all that was not acknowledged. `gone` follows. */
  leave(): void {
    if (this.#over) return;
    this.#lose('left');
    // What is acknowledged in this turn goes out before.
    setImmediate(() => {
      if (this.#client.connected) this.#client.end();
      else this.#cut();
    });
    // For a broker that does not answer.
    setTimeout(() => this.#cut(), LIMITS.bridgeLeaveMs).unref();
  }

  #lose(reason: string): void {
    this.#why = { kind: 'lost', reason, version: null };
  }

  #cut(): void {
    if (this.#over) return;
    this.#client.end(true);
    this.#end();
  }

  #subscribe(resumed: boolean): void {
    this.#lose('the broker closed the connection');
    const { filter } = this.#address.topic;
    // A retained frame was taken when it was sent: it is not asked for again with each subscription.
    const once = this.#version === 5 && !this.#address.topic.shared ? { rh: 2 } : {};
    this.#client.subscribe(filter, { qos: 1, ...once }, (error, granted) => {
      if (this.#over) return;
      const qos = error === null ? granted?.[0]?.qos : undefined;
      if (qos === 1) {
        this.#told.up(resumed);
        return;
      }
      // With QoS 0 it would not wait for acknowledgements.
      const why = error === null ? `it grants QoS ${qos ?? 'of nothing'}` : messageOf(error);
      this.#why = {
        kind: 'refused',
        reason: `the broker refused the subscription to ${filter}: ${why}`,
        version: null,
      };
      this.#cut();
    });
  }

  /** MQTT.js speaks of a refusal as an error with the code of the CONNACK; Node's have texts as codes. */
  #failed(error: Error): void {
    const code = 'code' in error ? error.code : null;
    if (typeof code === 'number' && this.#why.version === 'silent') {
      const version = WRONG_VERSION.includes(code) ? 'refused' : null;
      this.#why = { kind: 'refused', reason: messageOf(error), version };
    } else this.#lose(messageOf(error));
    this.#cut();
  }

  #acknowledge(messageId: number, reason: PubackReason): void {
    if (this.#over || !this.#client.connected) return;
    const packet = this.#version === 5 ? { reasonCode: reason } : {};
    writeToStream({ cmd: 'puback', messageId, ...packet }, this.#client.stream, {
      protocolVersion: this.#version,
    });
  }

  #resume(): void {
    if (this.#paused === null || this.#frames.bytes > LIMITS.bridgeBytes) return;
    const goOn = this.#paused;
    this.#paused = null;
    goOn();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#told.gone(this.#why);
  }
}

function connectOptions(
  address: BrokerAddress,
  version: MqttVersion,
): [url: string, options: IClientOptions] {
  const url = new URL(address.url);
  const { username, password } = url;
  url.username = '';
  url.password = '';
  const { caFile, certFile, keyFile } = address;
  return [
    url.href,
    {
      protocolVersion: version,
      clientId: address.clientId,
      clean: false,
      keepalive: LIMITS.bridgeKeepaliveS,
      connectTimeout: LIMITS.bridgeAnswerMs,
      // Connecting again is the bridge's own affair, and nothing waits in this one for that.
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(password === '' ? {} : { password: decodeURIComponent(password) }),
      ...(caFile === null ? {} : { ca: readFileSync(caFile) }),
      ...(certFile === null ? {} : { cert: readFileSync(certFile) }),
      ...(keyFile === null ? {} : { key: readFileSync(keyFile) }),
      ...(version === 5
        ? {
            properties: {
              sessionExpiryInterval: LIMITS.bridgeSessionExpiryS,
              receiveMaximum: LIMITS.bridgeReceiveMaximum,
              maximumPacketSize: LIMITS.intakeBytes,
            },
          }
        : {}),
    },
  ];
}

const bytesOf = (payload: string | Buffer): Buffer =>
  typeof payload === 'string' ? Buffer.from(payload) : payload;
const hex = (code: number): string => `0x${code.toString(16).padStart(2, '0')}`;
