import type { ChildProcess } from 'node:child_process';
import { messageOf } from '../../core/index.ts';

/** A process that was started. */
export interface Child {
  readonly pid: number | undefined;
  /** Resolves with how it ended, in words, when all that it sent has been read. */
  readonly ended: Promise<string>;
  /** Ends it at once, whatever it is doing. */
  kill(): void;
}

const living = new Set<ChildProcess>();

/** For a server that ends without waiting, and a child that hangs and would not notice. */
function killAll(): void {
  for (const child of living) child.kill('SIGKILL');
}

/**
 * Resolves when the process has ended, with how. To be asked at once, so that no error is missed. Until then it is
 * killed when this process exits.
 */
export async function endOf(child: ChildProcess): Promise<string> {
  if (living.size === 0) process.on('exit', killAll);
  living.add(child);
  const how = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(messageOf(error)));
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  living.delete(child);
  if (living.size === 0) process.off('exit', killAll);
  return how;
}
