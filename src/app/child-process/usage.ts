/** What a process has taken of the machine. */
export interface ProcessUsage {
  /** Seconds of CPU since it was started, of the program and of the system for it. */
  cpuSeconds: number;
  /** Bytes of memory that it has now. */
  residentBytes: number;
}

/** That of this process; sent along with each sign of life. */
export function ownUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage.rss() };
}
