import { MillraceError } from '../../src/core/index.ts';

/** The refusal that `run` throws; fails when it throws none. */
export function refusalOf(run: () => unknown): MillraceError {
  try {
    run();
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

export function codeOf(run: () => unknown): string {
  return refusalOf(run).code;
}
