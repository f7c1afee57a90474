import { MillraceError } from '../../core/index.ts';
import type { DeadLetter, DeadLetterInput } from '../journal.ts';
import { letterSize } from './batch.ts';
import type { JournalState } from './state.ts';
import type { Change, Storage, StoredLetter } from './storage.ts';

export interface LetterLimits {
  maxDeadLetters: number;
  maxDeadLetterBytes: number;
}

interface KeptLetters extends Pick<Change, 'letters' | 'removedLetters'> {
  state: JournalState;
}

/** Adds dead letters under the next ids and drops the oldest over the limits. */
export function keepLetters(
  state: JournalState,
  added: readonly StoredLetter[],
  storage: Pick<Storage, 'letter'>,
  limits: LetterLimits,
): KeptLetters {
  let { oldest, next, bytes } = state.letters;
  const letters = added.map((letter) => {
    bytes += letter.size;
    return { id: next++, letter };
  });
  const removedLetters: number[] = [];
  // The newest stays even when it alone is over the limit in bytes.
  while (next - oldest > limits.maxDeadLetters || (bytes > limits.maxDeadLetterBytes && next - oldest > 1)) {
    const unwritten = letters[0]?.id === oldest ? letters.shift()?.letter : undefined;
    const letter = unwritten ?? storage.letter(oldest);
    if (unwritten === undefined) removedLetters.push(oldest);
    bytes -= letter?.size ?? 0;
    oldest++;
  }
  return { letters, removedLetters, state: { ...state, letters: { oldest, next, bytes } } };
}

export function storedLetter(letter: DeadLetterInput, kind: DeadLetter['kind']): StoredLetter {
  const { device, transport, atMs, code, message, readings, position, bytes } = letter;
  return {
    device,
    transport,
    atMs,
    code,
    message,
    readings,
    position,
    bytes,
    kind,
    size: letterSize(letter),
  };
}

/** Ids are the number in base 36: short and stable. */
export function deadLetter(id: number, letter: StoredLetter): DeadLetter {
  const { size: _, ...rest } = letter;
  return { id: id.toString(36), ...rest };
}

/** Throws `cursor_invalid` for a text that is no id. */
export function parseLetterId(text: string): number {
  const id = /^[0-9a-z]{1,10}$/.test(text) ? Number.parseInt(text, 36) : Number.NaN;
  if (!Number.isSafeInteger(id))
    throw new MillraceError('cursor_invalid', `"${text.slice(0, 40)}" is no dead letter`);
  return id;
}
