import { MillraceError, type ErrorCode } from '../../core/index.ts';
import { problem, type HttpAnswer } from '../../net/index.ts';
import type { IntakeResult } from '../intake.ts';

/** The answer to frames that are all dealt with: 200, or 422 with the first code where every one was refused. */
export function answerOf(result: IntakeResult): HttpAnswer {
  const { accepted, duplicates, rejected } = result;
  const [first] = rejected;
  if (first !== undefined && accepted === 0 && duplicates === 0) return unprocessable(first, result);
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
    body: JSON.stringify(result),
  };
}

/** A refusal of well-formed requests whose content is wrong; `counts` say what became of their frames. */
function unprocessable(
  { code, message }: { code: ErrorCode; message: string },
  counts: IntakeResult,
): HttpAnswer {
  const status = 422;
  return { ...problem(new MillraceError(code, message), {}, { status, ...counts }), status };
}
