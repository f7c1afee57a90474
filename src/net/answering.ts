import { LIMITS, Rounds, type MillraceError } from '../core/index.ts';
import type { Bodies } from './body.ts';
import type { EdgeOptions, HttpAnswer } from './edge.ts';
import { HeldBytes } from './held-bytes.ts';

/** What the responses of one edge share, and whom they tell. */
export interface ResponderParts {
  /** Bytes of answers and messages that their readers have not taken. */
  readonly unread: HeldBytes;
  readonly bodies: Bodies;
  /** A connection is cut for what its client does, or does not. */
  readonly onEnded: (error: MillraceError) => void;
}

export function openResponderParts({
  unreadBytes = LIMITS.unreadBytes,
  heldBodyBytes = LIMITS.heldBodyBytes,
  onEnded = () => {},
}: EdgeOptions): ResponderParts {
  const held = new HeldBytes(heldBodyBytes, 'too_many_bodies', 'the bodies');
  return {
    unread: new HeldBytes(unreadBytes, 'too_much_unread', 'what readers left unread'),
    bodies: { held, rounds: new Rounds() },
    onEnded,
  };
}

/** Bytes of the body that a HEAD's answer would have; undefined where it is not known. */
export function lengthOf({ body, length }: HttpAnswer): number | undefined {
  if (body === null) return length ?? 0;
  if (typeof body === 'string') return Buffer.byteLength(body);
  return body instanceof Uint8Array ? body.byteLength : undefined;
}

/**
 * Whether much of a body is still to come, so that reading on would cost more than its answer. `announced` is its size
 * in bytes where the client says it; without that, what came is taken for the measure.
 */
export function hasLargeRest(announced: number | null, received: number): boolean {
  return (announced === null ? received : announced - received) > LIMITS.maxQueryBodyBytes;
}
