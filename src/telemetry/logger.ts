import { pino, type DestinationStream, type Logger, type LoggerOptions } from 'pino';
import pretty from 'pino-pretty';
import { messageOf, printable } from '../core/index.ts';

export type { Logger };

/**
 * The log goes to stderr, so that stdout belongs to what commands answer: JSON lines, or readable ones on a
 * terminal. Fields whose names look like secrets are removed. Texts may come from devices: nothing in them breaks a
 * line or commands a terminal.
 */
export function createLogger(level: string): Logger {
  if (process.stderr.isTTY) return prettyLogger(level, 2);
  return jsonLogger(level, pino.destination({ dest: 2, sync: true }));
}

export function jsonLogger(level: string, destination: DestinationStream): Logger {
  return pino(options(level), destination);
}

/** `destination` is a stream or a file's number. */
export function prettyLogger(level: string, destination: number | NodeJS.WritableStream): Logger {
  return pino(options(level), pretty({ destination, ignore: 'pid,hostname', sync: true }));
}

function options(level: string): LoggerOptions {
  return {
    level,
    redact: { paths: ['token', '*.token', 'headers.authorization', '*.headers.authorization'], remove: true },
    hooks: {
      logMethod(args, method) {
        const [first, message, ...rest] = args as [unknown, unknown, ...unknown[]];
        if (first instanceof Error) {
          method.call(
            this,
            { err: first },
            printable(typeof message === 'string' ? message : messageOf(first)),
          );
        } else {
          const texts = [message, ...rest].filter((text) => text !== undefined);
          method.apply(this, [clean(first), ...texts.map(clean)] as Parameters<typeof method>);
        }
      },
    },
    formatters: {
      log: (fields) =>
        Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, clean(value)])),
    },
    serializers: { err: cleanError },
  };
}

function clean(value: unknown): unknown {
  return typeof value === 'string' ? printable(value) : value;
}

/** The stack keeps its lines. Anything can be thrown: it need not be an Error, nor have a text as its message. */
function cleanError(thrown: unknown): unknown {
  const told: unknown = pino.stdSerializers.err(thrown as Error);
  if (typeof told !== 'object' || told === null) return clean(told);
  const { message, stack, ...rest }: { message?: unknown; stack?: unknown } = told;
  const lines = typeof stack === 'string' ? stack.split('\n').map(printable).join('\n') : stack;
  return { ...rest, message: clean(message), stack: lines };
}
