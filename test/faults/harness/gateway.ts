import { checkJournal } from '../../../src/journal/index.ts';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { temporaryFolder } from '../../fixtures/folder.ts';
import { cleanEnv } from '../../fixtures/clean-env.ts';
import { freePort } from '../../fixtures/free-port.ts';
import { until } from '../../fixtures/until.ts';
import type { Patch } from './patches.ts';
import { sabotage } from './sabotages.mjs';
import { breakPromise, stopIfCaught } from './verdict.ts';

/** What Node runs by default, with its arguments. */
const SERVE = [join(process.cwd(), 'dist', 'src', 'cli', 'main.js'), 'serve'];
const HOOK = pathToFileURL(join(process.cwd(), 'test', 'faults', 'harness', 'patch.mjs')).href;

export interface LedgerCounts {
  received: number;
  stored: number;
  duplicates: number;
  rejected: number;
  deadLettered: number;
  expired: number;
  pending: number;
}

export interface Ledger extends LedgerCounts {
  byTransport: Record<string, LedgerCounts>;
}

/** The exit code of patch.mjs for a text that is not there. */
const BAD_PATCH = 70;

/** What patch.mjs does while the process runs. */
export interface Control {
  clockMs: number;
  /** How far the steady clock is ahead: so much more time seems to have passed. */
  steadyMs: number;
  /** `alone`: of the server's processes, the one that passes the point dies alone. */
  kill: { point: string; pass: number; alone?: boolean } | null;
}

/** How a process ended. */
export interface End {
  code: number | null;
  signal: NodeJS.Signals | null;
  log: string;
}

/** One data folder and port, and the server process that runs on them, again and again. */
export class Gateway {
  readonly url: string;
  readonly wsUrl: string;
  readonly #port: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | null = null;
  #ended: Promise<End> = Promise.resolve({ code: 0, signal: null, log: '' });
  #log = '';
  readonly #patches: readonly Patch[];
  readonly #program: readonly string[];
  readonly #control: ReturnType<typeof temporaryFolder>;
  readonly #dataDir: string;

  private constructor(
    port: string,
    dataDir: string,
    env: Readonly<Record<string, string>>,
    patches: readonly Patch[],
    program: readonly string[],
  ) {
    this.#port = port;
    this.#dataDir = dataDir;
    this.#patches = patches;
    this.#program = program;
    this.#control = temporaryFolder();
    this.control({});
    this.#env = { MILLRACE_DATA_DIR: dataDir, ...env };
    this.url = `http://127.0.0.1:${port}`;
    this.wsUrl = `ws://127.0.0.1:${port}`;
  }

  /** `patches` change the program that every process of it runs. */
  static async create(
    dataDir: string,
    env: Readonly<Record<string, string>> = {},
    patches: readonly Patch[] = [],
    program = SERVE,
  ): Promise<Gateway> {
    return new Gateway(await freePort(), dataDir, env, patches, program);
  }

  get #controlFile(): string {
    return join(this.#control.path, 'control.json');
  }

  /** Sets the clocks and the kill point of the present process and the next ones. */
  control({ clockMs = 0, steadyMs = 0, kill = null }: Partial<Control>): void {
    const draft = `${this.#controlFile}.new`;
    writeFileSync(draft, JSON.stringify({ clockMs, steadyMs, kill } satisfies Control));
    renameSync(draft, this.#controlFile);
  }

  /** Resolves when the running process does as `control` told it last. */
  async controlled(): Promise<void> {
    const asked = readFileSync(this.#controlFile, 'utf8');
    const seen = `${this.#controlFile}.seen`;
    await until('the process to do as told', () => existsSync(seen) && readFileSync(seen, 'utf8') === asked);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Of the process that writes into the store. */
  get writerPid(): number | null {
    return this.#childrenThatRun('writer-process')[0] ?? null;
  }

  /** Of the processes that take devices beside the server. */
  get ingestPids(): number[] {
    return this.#childrenThatRun('ingest-process');
  }

  #childrenThatRun(program: string): number[] {
    try {
      const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').trim();
      const pids = children === '' ? [] : children.split(' ').map(Number);
      return pids.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`/${program}/`));
    } catch {
      // One of them has ended just now.
      return [];
    }
  }

  get alive(): boolean {
    const child = this.#child;
    return child !== null && child.exitCode === null && child.signalCode === null;
  }

  /** What all processes wrote to stderr. */
  get log(): string {
    return this.#log;
  }

  /** Starts a process and waits until it takes frames; throws with its log when it ends before. */
  async start(): Promise<void> {
    stopIfCaught();
    const ended = this.launch();
    const listening = isListening(this.#child);
    await Promise.race([listening, ended]);
    await until('the server to be ready', async () => {
      if (!this.alive) {
        const { code, signal, log } = await ended;
        const what = `the server ended with ${code ?? signal} before it was ready:\n${log}`;
        if (code === BAD_PATCH) throw new Error(what);
        breakPromise('start', what);
      }
      return this.isReady();
    });
  }

  /** Starts a process and waits for nothing; resolves when it ends. */
  launch(): Promise<End> {
    const child = spawn(process.execPath, ['--import', HOOK, ...this.#program], {
      env: {
        ...cleanEnv(),
        MILLRACE_PORT: this.#port,
        ...this.#env,
        FAULT_PROGRAM: join(process.cwd(), 'dist', 'src'),
        FAULT_PATCHES: JSON.stringify([...this.#patches, ...sabotage()]),
        FAULT_CONTROL: this.#controlFile,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    // A test run that dies must not leave a server behind.
    const reap = (): boolean => child.kill('SIGKILL');
    process.once('exit', reap);
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      this.#log += text;
    });
    this.#ended = once(child, 'close').then((): End => {
      process.off('exit', reap);
      return { code: child.exitCode, signal: child.signalCode, log };
    });
    return this.#ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  ended(): Promise<End> {
    return this.#ended;
  }

  /** Kills it, and looks whether the journal that it leaves is sound: its ledger as its frames say, too. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#ended;
    this.examine();
  }

  /** Looks at the files of a process that has ended. */
  examine(): void {
    const { problems, damaged, missing } = checkJournal(join(this.#dataDir, 'journal'));
    const faults = [
      ...problems,
      ...damaged.map(({ fault }) => fault),
      ...missing.map(({ from, to }) => `frames ${from} to ${to - 1} are missing`),
    ];
    if (faults.length > 0) breakPromise('the journal of a dead process', faults.join('\n  '));
  }

  /** Kills it for good. */
  async dispose(): Promise<void> {
    this.signal('SIGKILL');
    await this.#ended;
    this.#control.remove();
  }

  /** Stops it as an operator does. */
  async stop(): Promise<End> {
    this.signal('SIGTERM');
    return this.#ended;
  }

  async isReady(): Promise<boolean> {
    try {
      return (await this.#get('/readyz')).ok;
    } catch {
      return false;
    }
  }

  /** What `/readyz` says, ready or not. */
  async readiness(): Promise<string> {
    try {
      return await (await this.#get('/readyz')).text();
    } catch (error) {
      if (this.alive) throw error;
      const { code, signal, log } = await this.ended();
      breakPromise('readiness', `the server ended with ${code ?? signal}:\n${log.slice(-4_000)}`);
    }
  }

  async json<T>(path: string): Promise<T> {
    const response = await this.#get(path);
    const text = await response.text();
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  async text(path: string): Promise<string> {
    const response = await this.#get(path);
    const text = await response.text();
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${text}`);
    return text;
  }

  ledger(): Promise<Ledger> {
    return this.json('/v1/ledger?by=transport');
  }

  /** On a connection of its own: one from before may be to a process that has been killed. */
  #get(path: string): Promise<Response> {
    return fetch(this.url + path, { headers: { Connection: 'close' } });
  }
}

async function isListening(child: ChildProcess | null): Promise<void> {
  if (child === null || child.stdout === null) return;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('millrace listening on ')) continue;
    // Go on reading, or a full pipe would stop the server.
    child.stdout.resume();
    return;
  }
}
