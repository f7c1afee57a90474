import type { Settings } from '../../config/index.ts';
import { LIMITS, systemClock, type AgeClock } from '../../core/index.ts';
import { FrameCounts, type FrameStats } from '../../ingest/index.ts';
import type { Registry } from '../../registry/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import { systemTiming } from '../child-process/index.ts';
import type { IngestCondition } from './calls.ts';
import { IngestProcess } from './process.ts';
import type { ServedIngestOptions } from './served-ingest.ts';

export interface IngestProcessesOptions extends Omit<ServedIngestOptions, 'onFrame'> {
  /** The program that each of them runs. */
  program: string;
  settings: Settings;
  registry: Registry;
  time: AgeClock;
  random: () => number;
  logger: Logger;
}

export interface Ports {
  /** The port that all processes share. */
  shared: number;
  /** Port of the server's own listener on loopback. */
  own: number;
}

/** The processes that take devices beside the server itself. */
export class IngestProcesses {
  readonly #options: IngestProcessesOptions;
  readonly #places: IngestProcess[] = [];
  /** Processes that are ending while the server goes on. Until they have ended they hear the news as the others do. */
  readonly #leaving = new Set<IngestProcess>();
  readonly #frames = new FrameCounts();
  /** Changes of their number go one after the other. */
  #changing: Promise<void> = Promise.resolve();
  #stopping = false;
  readonly #stops: (() => void)[];

  constructor(options: IngestProcessesOptions) {
    this.#options = options;
    const { journal, directory, registry } = options;
    this.#stops = [
      journal.onStateChange(() => this.#tellCondition()),
      directory.onRoomChange(() => this.#tellCondition()),
      // A registration is answered when frames of its schema are taken by all.
      registry.onChange((version) => {
        const text = registry.byId(version.id)?.text ?? '';
        return Promise.all(
          this.#all().map((place) => place.tell((calls) => calls.registered(version, text))),
        );
      }),
    ];
  }

  /** The processes that there are to be: whether each takes devices, how many connections it has, how it is. */
  get places(): readonly Pick<IngestProcess, 'ready' | 'connections' | 'figures'>[] {
    return this.#places;
  }

  get frames(): FrameStats {
    return this.#frames;
  }

  /** Starts one more, if that is not too many. Rejects with its error when it cannot begin. */
  add(ports: () => Promise<Ports>): Promise<void> {
    return this.#change(async () => {
      const given = await ports();
      // The server itself takes devices, too.
      if (this.#stopping || this.#places.length + 1 >= LIMITS.maxProcesses) return;
      await this.#add(given);
    });
  }

  /** Drains and ends one, if there is any; the others' connections stay. */
  remove(): Promise<void> {
    return this.#change(async () => {
      const place = this.#places.pop();
      if (place !== undefined) await this.#remove(place);
    });
  }

  /** Drains every process. One that is starting or ending at this moment drains too, but nobody waits for it. */
  async drain(reason: string): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#all().map((place) => place.drain(reason)));
  }

  async close(): Promise<void> {
    this.#stopping = true;
    for (const stop of this.#stops) stop();
    await Promise.all(this.#all().map((place) => place.close()));
    await this.#changing;
  }

  #all(): IngestProcess[] {
    return [...this.#places, ...this.#leaving];
  }

  #change(work: () => Promise<void>): Promise<void> {
    const change = this.#changing.then(() => (this.#stopping ? undefined : work()));
    this.#changing = change.catch(() => undefined);
    return change;
  }

  async #add(ports: Ports): Promise<void> {
    const place = this.#newPlace(ports);
    // At once, so that it misses no news.
    this.#places.push(place);
    try {
      await place.start();
    } catch (error) {
      this.#places.splice(this.#places.indexOf(place), 1);
      await place.close();
      throw error;
    }
  }

  async #remove(place: IngestProcess): Promise<void> {
    this.#leaving.add(place);
    await place.drain('there are to be fewer processes');
    await place.close(LIMITS.drainMs);
    this.#leaving.delete(place);
  }

  #condition(): IngestCondition {
    const { journal, directory } = this.#options;
    return { state: journal.stats().state, accepting: journal.accepting(), room: directory.room };
  }

  #tellCondition(): void {
    for (const place of this.#all()) {
      void place.tell((calls) => calls.condition.asEvent(this.#condition()));
    }
  }

  #newPlace({ shared, own }: Ports): IngestProcess {
    const { settings, registry, journal, time, random, logger } = this.#options;
    return new IngestProcess({
      ...this.#options,
      supervision: { clock: systemClock, timing: systemTiming, random, logger },
      onFrame: (refused) => this.#frames.add(refused),
      setup: () => ({
        settings,
        port: shared,
        serverPort: own,
        epoch: journal.epoch,
        condition: this.#condition(),
        time: time.known(),
        schemas: registry.contents(),
      }),
    });
  }
}
