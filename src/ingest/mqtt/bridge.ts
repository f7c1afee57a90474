import { FrameTopic, LIMITS, messageOf, MillraceError } from '../../core/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import type { IngestHub } from '../hub.ts';
import type { WayIn } from '../way-in.ts';
import {
  BridgeConnection,
  type BrokerAddress,
  type Departure,
  type MqttPackage,
  type MqttVersion,
} from './bridge-connection.ts';

/**
 * `up`: subscribed. `connecting`: no answer yet. `away`: the broker cannot be reached, or left. `refused`: it was there and
 * said no, to the connection or to the subscription. `waiting`: this server takes no frames now, so the broker keeps them.
 */
export type BridgeState = 'up' | 'connecting' | 'away' | 'refused' | 'waiting' | 'stopped';

export interface BridgeOptions extends Omit<BrokerAddress, 'topic'> {
  /** A topic filter, as FrameTopic has it. */
  filter: string;
  /** Null to find out. */
  version: MqttVersion | null;
  logger: Pick<Logger, 'info' | 'warn'>;
  random: () => number;
}

/** What the bridge tells of itself. */
export interface BridgeStatus {
  state: BridgeState;
  /** Null while it is up. */
  reason: string | null;
  /** Since when it is in this state, in milliseconds since the UTC epoch. */
  sinceMs: number;
  version: MqttVersion | null;
  /** Of the last connection: whether the broker had kept what it had for us. */
  session: 'new' | 'resumed' | 'lost' | null;
  /** Packets that wait for their acknowledgement. */
  unacknowledged: number;
  /** Counts since the start of the server. */
  connects: number;
  sessionsLost: number;
  redelivered: number;
}

/**
 * Takes the frames that devices publish to a broker. It keeps a session there, and acknowledges a packet when its frame
 * is on disk. Where that fails it leaves, and comes back when frames are taken again: what was not acknowledged is
 * delivered then, to this or to another gateway of the group.
 */
export class MqttBridge implements WayIn {
  /** Those of devices end at the broker. */
  readonly connections = 0;
  readonly #hub: IngestHub;
  readonly #options: BridgeOptions;
  readonly #address: BrokerAddress;
  readonly #unsubscribe: () => void;
  #mqtt: MqttPackage | null = null;
  #connection: BridgeConnection | null = null;
  #timer: NodeJS.Timeout | null = null;
  #version: MqttVersion;
  /** A broker has answered in it. */
  #versionKnown: boolean;
  /** Tries in a row that came to nothing. */
  #failures = 0;
  #hadSession = false;
  #stopping = false;
  #ended: () => void = () => {};
  #redelivered = 0;
  #status: Omit<BridgeStatus, 'unacknowledged' | 'version' | 'redelivered'> = {
    state: 'connecting',
    reason: null,
    sinceMs: Date.now(),
    session: null,
    connects: 0,
    sessionsLost: 0,
  };

  constructor(hub: IngestHub, options: BridgeOptions) {
    this.#hub = hub;
    this.#options = options;
    this.#address = { ...options, topic: new FrameTopic(options.filter) };
    this.#version = options.version ?? 5;
    this.#versionKnown = options.version !== null;
    this.#unsubscribe = hub.parts.journal.onStateChange((_state, accepting) => {
      if (accepting && this.#status.state === 'waiting') this.#connect();
    });
  }

  /** Begins to connect. */
  async start(): Promise<void> {
    this.#mqtt = (await import('mqtt')).default;
    this.#connect();
  }

  get status(): BridgeStatus {
    return {
      ...this.#status,
      version: this.#versionKnown ? this.#version : null,
      unacknowledged: this.#connection?.unacknowledged ?? 0,
      redelivered: this.#redelivered + (this.#connection?.redelivered ?? 0),
    };
  }

  /** Nothing more is taken: hub.drain sees to that, and what comes yet stays with the broker. */
  goaway(): void {
    this.#stopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  end(): void {
    this.#stopping = true;
    this.#unsubscribe();
    this.#connection?.leave();
  }

  /** Resolves when it has left the broker. */
  closed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#connection === null) resolve();
      else this.#ended = resolve;
    });
  }

  #connect(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#mqtt === null || this.#stopping || this.#connection !== null) return;
    try {
      // A broker that sends what nobody takes would send it again and again.
      this.#hub.admission.checkAccepting();
      const connection = new BridgeConnection(this.#mqtt, this.#hub, this.#address, this.#version, {
        up: (resumed) => this.#up(resumed),
        failed: (error) => this.#cannotTake(error),
        gone: (departure) => this.#gone(departure),
      });
      this.#connection = connection;
    } catch (error) {
      if (error instanceof MillraceError) this.#cannotTake(error);
      // A file of TLS's that cannot be read.
      else this.#gone({ kind: 'lost', reason: messageOf(error), version: null });
    }
  }

  #up(resumed: boolean): void {
    this.#failures = 0;
    this.#versionKnown = true;
    const lost = this.#hadSession && !resumed;
    this.#hadSession = true;
    this.#status.connects++;
    this.#status.session = resumed ? 'resumed' : lost ? 'lost' : 'new';
    this.#become('up', null);
    const { logger } = this.#options;
    if (!lost) return;
    this.#status.sessionsLost++;
    logger.warn('the MQTT broker has lost our session, and with it the frames that it kept for us');
  }

  /** This server takes no frames: the broker is to keep them. */
  #cannotTake({ code, message }: MillraceError): void {
    if (this.#stopping) return;
    this.#become('waiting', `${code}: ${message}`);
    if (this.#connection === null) this.#retry();
    else this.#connection.leave();
  }

  #gone({ kind, reason, version }: Departure): void {
    this.#redelivered += this.#connection?.redelivered ?? 0;
    this.#connection = null;
    if (this.#stopping) {
      this.#become('stopped', null);
      this.#ended();
      return;
    }
    if (this.#status.state !== 'waiting') this.#become(kind === 'refused' ? 'refused' : 'away', reason);
    const silent = version === 'silent' && this.#failures > 0;
    if (!this.#versionKnown && (version === 'refused' || silent)) this.#version = this.#version === 5 ? 4 : 5;
    this.#retry();
  }

  #retry(): void {
    if (this.#stopping) return;
    const { bridgeRetryMinMs, bridgeRetryMaxMs } = LIMITS;
    const bound = Math.min(bridgeRetryMaxMs, bridgeRetryMinMs * 2 ** Math.min(this.#failures, 20));
    this.#failures++;
    // At least half of it, so that a broker that refuses is not asked without a pause.
    this.#timer = setTimeout(() => this.#connect(), bound * (0.5 + this.#options.random() / 2));
  }

  #become(state: BridgeState, reason: string | null): void {
    const before = this.#status;
    if (before.state === state && before.reason === reason) return;
    this.#status = { ...before, state, reason, sinceMs: Date.now() };
    const { logger, filter } = this.#options;
    if (state === 'up') {
      const { session } = this.#status;
      logger.info({ filter, mqtt: this.#version, session }, 'frames are taken from the MQTT broker');
    } else if (state !== 'stopped') {
      logger.warn({ state, reason }, 'no frames are taken from the MQTT broker');
    }
  }
}
