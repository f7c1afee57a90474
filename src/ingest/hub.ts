import { TurnClock, isDeviceId, type Clock, type ClockGuard, type ErrorCode } from '../core/index.ts';
import { asMillraceError, type Edge } from '../net/index.ts';
import type { Registry } from '../registry/index.ts';
import { IngestAdmission } from './admission.ts';
import type { DeviceJournal } from './device-journal.ts';
import type { DeviceLog } from './device-log.ts';
import type { Directory } from './directory.ts';
import { FrameCounts, type FrameStats } from './frame-counts.ts';
import { identify, type Authorize, type DeviceIdentity, type Introduction } from './identity.ts';
import { Intake } from './intake.ts';
import type { WayIn } from './way-in.ts';

/** What one device may send, and may have sent without an ack. */
export interface FrameLimits {
  maxFrameBytes: number;
  maxUnacked: number;
  maxUnackedBytes: number;
}

export interface IngestHubOptions {
  journal: DeviceJournal;
  directory: Directory;
  registry: Pick<Registry, 'resolve'>;
  limits: FrameLimits;
  authorize: Authorize;
  /** Origins of other pages that may send frames. */
  origins: readonly string[];
  clock: Clock;
  guard: ClockGuard;
  log: DeviceLog;
  /** An ack went out; `ms` is the wait of the oldest frame that it covers. */
  onAck(ms: number): void;
  onError(error: unknown): void;
}

/** Opens a way in: adds its routes, and hands what they bring to the hub. */
export type OpenWayIn = (hub: IngestHub, edge: Edge) => WayIn;

/** What a way in works with. */
export interface IngestParts extends Omit<IngestHubOptions, 'authorize'> {
  /** A frame was taken, or refused with this code. */
  onFrame(refused: ErrorCode | null): void;
}

/**
 * What all ways in of a process share: who comes and whether it may, the devices' seats, where frames go, what was
 * counted, and how all of it is drained. It knows nothing of any transport.
 */
export class IngestHub {
  readonly parts: Readonly<IngestParts>;
  readonly admission: IngestAdmission;
  /** For frames without numbers. */
  readonly intake: Intake;
  readonly #authorize: Authorize;
  readonly #ways: WayIn[] = [];
  readonly #frames = new FrameCounts();

  constructor({ authorize, ...options }: IngestHubOptions) {
    this.#authorize = authorize;
    this.parts = {
      ...options,
      clock: new TurnClock(options.clock),
      onFrame: (refused) => this.#frames.add(refused),
    };
    this.admission = new IngestAdmission(options);
    this.intake = new Intake({ ...this.parts, admission: this.admission });
  }

  get connections(): number {
    return this.#ways.reduce((sum, { connections }) => sum + connections, 0);
  }

  get frames(): FrameStats {
    return this.#frames;
  }

  /** Lets frames come in by one more way. */
  open(way: OpenWayIn, edge: Edge): void {
    this.add(way(this, edge));
  }

  /** The same for one that needs nothing of the edge. Returns it. */
  add<T extends WayIn>(way: T): T {
    this.#ways.push(way);
    return way;
  }

  /**
   * Who a connection is of, if one more may come: it claims its seat in the directory next. Waits for nothing, so that
   * an upgrade happens while its request is read. Throws as `identify` does, or what IngestAdmission and Directory have
   * against it.
   */
  admit(who: Introduction): DeviceIdentity {
    return this.#telling(who, () => {
      const identity = identify(who, this.#authorize);
      this.admission.check();
      this.parts.directory.admit(identity.device);
      return identity;
    });
  }

  /** Who a request is of that takes no seat: its frames go to `intake`, which decides whether they may come. */
  identify(who: Introduction): DeviceIdentity {
    return this.#telling(who, () => identify(who, this.#authorize));
  }

  /** Whoever is turned away is told in the log, with its device when that is one. */
  #telling<T>({ devices: [device = ''] }: Introduction, find: () => T): T {
    try {
      return find();
    } catch (error) {
      this.parts.log.turnedAway(isDeviceId(device) ? device : null, asMillraceError(error));
      throw error;
    }
  }

  /** Takes nothing new, has what came by any way made durable and answered, and ends the connections. */
  async drain(reason: string): Promise<void> {
    this.admission.stop();
    await Promise.all(this.#ways.map(async (way) => way.goaway(reason)));
    await this.intake.drain();
    for (const way of this.#ways) way.end();
    this.parts.log.tellMore();
  }
}
