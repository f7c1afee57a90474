import { Counter, Gauge, type Registry } from 'prom-client';

/** One of the server's other processes. */
export interface ChildProcessFigures {
  up: boolean;
  /** Starts after the first one; those that failed count, too. */
  restarts: number;
  /** As the one that runs told last; null before its first word. */
  usage: { cpuSeconds: number; residentBytes: number } | null;
}

/** By their names: "writer", "ingest-1" … */
export type ChildProcesses = Readonly<Record<string, ChildProcessFigures>>;

/**
 * The other processes of the server, by a label `process`. Those of the server itself, which answers the scrape, are the
 * metrics of its Node.
 */
export function observeChildProcesses(registry: Registry, read: () => ChildProcesses): void {
  const labelNames = ['process'] as const;
  const registers = [registry];
  const set = (metric: Gauge<'process'>, of: (child: ChildProcessFigures) => number | undefined): void => {
    // One that there is to be no more goes with its number.
    metric.reset();
    for (const [process, child] of Object.entries(read())) {
      const value = of(child);
      if (value !== undefined) metric.set({ process }, value);
    }
  };
  const count = (
    metric: Counter<'process'>,
    of: (child: ChildProcessFigures) => number | undefined,
  ): void => {
    metric.reset();
    for (const [process, child] of Object.entries(read())) {
      const value = of(child);
      if (value !== undefined) metric.inc({ process }, value);
    }
  };
  void new Gauge({
    name: 'millrace_child_process_up',
    help: '1 while a process of the server does its work: the writer, and the ingest processes',
    labelNames,
    registers,
    collect() {
      set(this, ({ up }) => (up ? 1 : 0));
    },
  });
  void new Counter({
    name: 'millrace_child_process_restarts_total',
    help: 'Starts after the first one, since the start of the server; those that failed count, too',
    labelNames,
    registers,
    collect() {
      count(this, ({ restarts }) => restarts);
    },
  });
  void new Counter({
    name: 'millrace_child_process_cpu_seconds_total',
    help: 'CPU time of the process that runs now, of the program and of the system for it',
    labelNames,
    registers,
    collect() {
      count(this, ({ usage }) => usage?.cpuSeconds);
    },
  });
  void new Gauge({
    name: 'millrace_child_process_resident_memory_bytes',
    help: 'Memory of the process that runs now',
    labelNames,
    registers,
    collect() {
      set(this, ({ usage }) => usage?.residentBytes);
    },
  });
}
