import type { MillraceError } from '../core/index.ts';

/** 1011: the server met an unexpected condition. Codes that say "come back" lie from 4000 to 4499. */
const UNEXPECTED = 1011;
const TRY_AGAIN_LATER = 4013;

/** The close code of an error, its own or one that says whether coming back can help, and the reason in words. */
export function closing(error: MillraceError): { code: number; reason: string } {
  const { close, retry } = error.row;
  return { code: close ?? (retry ? TRY_AGAIN_LATER : UNEXPECTED), reason: error.message };
}
