import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';

export type { Logger };

/**
 * The log goes to stderr, so that stdout belongs to what commands answer: JSON lines, or readable ones on a
 * terminal. Fields whose names look like secrets are removed.
 */
export function createLogger(level: string): Logger {
  const options = {
    level,
    redact: { paths: ['token', '*.token', 'headers.authorization', '*.headers.authorization'], remove: true },
  };
  if (process.stderr.isTTY)
    return pino(options, pretty({ destination: 2, ignore: 'pid,hostname', sync: true }));
  return pino(options, pino.destination({ dest: 2, sync: true }));
}
