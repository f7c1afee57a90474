import type { Settings } from '../../config/index.ts';
import { LIMITS, type Clock } from '../../core/index.ts';
import type { Registry } from '../../registry/index.ts';
import type { Logger } from '../../telemetry/index.ts';
import { RestartDelay } from '../restart-delay.ts';
import type { IngestCondition } from './calls.ts';
import { IngestProcess } from './process.ts';
import type { ServedIngestOptions } from './served-ingest.ts';

export interface IngestProcessesOptions extends Omit<ServedIngestOptions, 'onFrame'> {
  settings: Settings;
  registry: Registry;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

export interface Ports {
  /** The port that all processes share. */
  shared: number;
  /** Of the server's own listener on loopback. */
  own: number;
}

/** The processes that take devices beside the server itself. */
export class IngestProcesses {
  readonly #options: IngestProcessesOptions;
  readonly #places: IngestProcess[] = [];
  #received = 0;
  #rejected = 0;
  /** Changes of their number go one after the other. */
  #changing: Promise<void> = Promise.resolve();
  #stopping = false;
  readonly #stops: (() => void)[];

  constructor(options: IngestProcessesOptions) {
    this.#options = options;
    const { journal, directory, registry } = options;
    // They end when the link does, but for one that hangs, which would keep the port.
    const kill = (): void => {
      for (const place of this.#places) place.kill();
    };
    process.once('exit', kill);
    this.#stops = [
      () => void process.off('exit', kill),
      journal.onStateChange(() => this.#tellCondition()),
      directory.onRoomChange(() => this.#tellCondition()),
      // A registration is answered when frames of its schema are taken by all.
      registry.onChange((version) => {
        const text = registry.byId(version.id)?.text ?? '';
        return Promise.all(
          this.#places.map((place) => place.tell((calls) => calls.registered(version, text))),
        );
      }),
    ];
  }

  /** Those that there are to be: whether each takes devices, and how many it has. */
  get places(): readonly { ready: boolean; connections: number }[] {
    return this.#places;
  }

  stats(): { received: number; rejected: number } {
    return { received: this.#received, rejected: this.#rejected };
  }

  /**
   * Starts or drains processes until there are so many; the others' connections stay. Rejects with the error of one
   * that cannot begin.
   */
  resize(count: number, ports: Ports): Promise<void> {
    const change = this.#changing.then(() => this.#resize(count, ports));
    this.#changing = change.catch(() => undefined);
    return change;
  }

  async drain(reason: string): Promise<void> {
    this.#stopping = true;
    await this.#changing;
    await Promise.all(this.#places.map((place) => place.drain(reason)));
  }

  async close(): Promise<void> {
    this.#stopping = true;
    for (const stop of this.#stops) stop();
    await Promise.all(this.#places.map((place) => place.close()));
  }

  async #resize(count: number, ports: Ports): Promise<void> {
    while (!this.#stopping && this.#places.length < count) {
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
    while (!this.#stopping && this.#places.length > count) {
      const place = this.#places.pop();
      await place?.drain('there are to be fewer processes');
      await place?.close(LIMITS.drainMs);
    }
  }

  #condition(): IngestCondition {
    const { journal, directory } = this.#options;
    return { state: journal.stats().state, accepting: journal.accepting(), room: directory.room };
  }

  #tellCondition(): void {
    for (const place of this.#places) {
      void place.tell((calls) => calls.condition.asEvent(this.#condition()));
    }
  }

  #newPlace({ shared, own }: Ports): IngestProcess {
    const { settings, registry, journal, clock, random } = this.#options;
    return new IngestProcess({
      ...this.#options,
      restarts: new RestartDelay(clock, random),
      onFrame: (refused) => {
        this.#received++;
        if (refused) this.#rejected++;
      },
      setup: () => ({
        settings,
        port: shared,
        serverPort: own,
        epoch: journal.epoch,
        condition: this.#condition(),
        schemas: registry.contents(),
      }),
    });
  }
}
