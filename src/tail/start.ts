import type { Journal, SettledTimes } from '../journal/index.ts';
import { joining, type Course, type CoursePlan } from './course.ts';
import { ANY_TIME, droppedTimes, notShown, type GapTimes } from './gap-times.ts';
import type { SubscribeRequest } from './request.ts';

/** Where a subscription begins; `missed` are the times of a gap where its cursor's own place is no longer there. */
export interface Beginning {
  course: Course;
  missed: GapTimes | null;
}

/** Finds the place to begin at, in the journal as it is now. */
export function beginningOf(
  { start, mode }: Pick<SubscribeRequest, 'start' | 'mode'>,
  journal: Pick<Journal, 'epoch' | 'head' | 'tail' | 'settledPosition'>,
  times: Pick<SettledTimes, 'between'>,
): Beginning {
  const joinedAt = journal.head();
  const plan: CoursePlan = { joinedAt, fromNs: start.at === 'time' ? start.fromNs : null, mode };
  switch (start.at) {
    case 'now':
      return { course: joining(plan, joinedAt), missed: null };
    case 'time': {
      // Late rows that come from now on count as live, wherever the store's view ends.
      const position = journal.settledPosition();
      const place = { timeNs: start.fromNs, row: null };
      return { course: { at: 'history', plan, position, liveFrom: joinedAt, place }, missed: null };
    }
    case 'cursor': {
      const { epoch, history } = start.cursor;
      if (epoch !== journal.epoch) return { course: joining(plan, journal.tail()), missed: ANY_TIME };
      const position = Math.max(start.cursor.position, journal.tail());
      const dropped =
        start.cursor.position < journal.tail() ? droppedTimes(journal, times, start.cursor.position) : null;
      if (history === null) return { course: joining(plan, position), missed: dropped };
      return {
        course: { at: 'history', plan, position, liveFrom: position, place: history },
        missed: dropped === null ? null : notShown(dropped, history),
      };
    }
    default:
      return start satisfies never;
  }
}
