import type { Settings } from '../config/index.ts';
import { MillraceError } from '../core/index.ts';
import { freePort, sharesPorts, type NetServer } from '../net/index.ts';
import type { IngestProcesses } from './ingest-process/host.ts';

type SharedPortSettings = Pick<Settings, 'host' | 'port' | 'processes' | 'edge'>;

/** The port, and how many processes take devices on it: the server itself and the ingest processes. */
export class SharedPort {
  readonly #net: NetServer;
  readonly #processes: IngestProcesses;
  readonly #settings: SharedPortSettings;
  #port = 0;
  /** Where the server alone listens; 0 until somebody has to pass something on to it. */
  #ownPort = 0;

  constructor(net: NetServer, processes: IngestProcesses, settings: SharedPortSettings) {
    this.#net = net;
    this.#processes = processes;
    this.#settings = settings;
  }

  /** Opens it in as many processes as the settings say; resolves with its number. Rejects with `port_in_use` or `listen_failed`. */
  async open(): Promise<number> {
    const { host, port, processes } = this.#settings;
    // Where the system chooses while it opens it, no second process can join.
    const wanted = port === 0 && processes > 1 ? await freePort(host) : port;
    this.#port = await this.#net.listen(host, wanted);
    for (let n = 1; n < processes; n++) await this.#add();
    return this.#port;
  }

  /** One process more or one less; the last one is the server itself. Rejects with `config_invalid`. */
  async resize(by: 1 | -1): Promise<void> {
    const { port, processes, edge } = this.#settings;
    if (by < 0) return this.#processes.remove();
    if (edge === 'auto' || !sharesPorts(edge) || (port === 0 && processes === 1)) {
      throw new MillraceError(
        'config_invalid',
        'the port can be shared on Linux only, on node:http from Node 22.12 and 23.1 on, and needs a fixed number or ' +
          'MILLRACE_PROCESSES of 2 or more at the start',
      );
    }
    await this.#add();
  }

  async #add(): Promise<void> {
    await this.#processes.add(async () => {
      if (this.#ownPort === 0) this.#ownPort = await this.#net.join('127.0.0.1', 0);
      return { shared: this.#port, own: this.#ownPort };
    });
  }
}
