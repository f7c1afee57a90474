import type { HistoryPlace } from '../core/index.ts';

/**
 * The course of one reader through the rows of a filter, as a value. It has no buffer, only a place:
 *
 *     history ──→ joining ⇄ live
 *        ⇅           ⇅
 *     lagging     lagging            and from everywhere: gone
 *
 * - history: stored rows are read, by time;
 * - joining: journal blocks are read at the reader's own pace, until it has caught up with its group;
 * - live: it gets what its group has encoded at each commit;
 * - lagging: the reader has more to take than it should, and nothing is read for it until it has taken that;
 * - gone: it is over.
 *
 * Nothing here reads, sends or looks at a clock. That a reader did not take its rows within its time is an event, as
 * all the rest is. See docs/decisions/0021-tail-course.md.
 */
export type Course = InHistory | Joining | Live | Lagging | Gone;

/** What stays the same from the start to the end. */
export interface CoursePlan {
  /** The journal's head at the start: up to there rows before `fromNs` are left out, and then it is live. */
  readonly joinedAt: number;
  /** The start, where it was a time. */
  readonly fromNs: bigint | null;
  readonly mode: 'all' | 'latest';
}

export interface InHistory {
  readonly at: 'history';
  readonly plan: CoursePlan;
  /** The first frame of the live part. Until the store has answered: one that is surely not behind it. */
  readonly position: number;
  /** The live part begins here, or earlier where the store has not come so far. */
  readonly liveFrom: number;
  /** Stored rows up to it were sent. */
  readonly place: HistoryPlace;
}

export interface Joining {
  readonly at: 'joining';
  readonly plan: CoursePlan;
  /** The next frame to send. */
  readonly position: number;
  /** The client knows that history is done. */
  readonly toldLive: boolean;
  /** Fell behind in `mode=latest`: what is missing is collapsed instead of being sent whole. */
  readonly collapse: boolean;
  /** Reads on alone before it may go live again: the group met something that it could not take. */
  readonly alone: boolean;
}

export interface Live {
  readonly at: 'live';
  readonly plan: CoursePlan;
  /** The next frame to send, unless the whole group is further on: blocks without rows are not handed out. */
  readonly position: number;
}

export interface Lagging {
  readonly at: 'lagging';
  /** How it goes on when the reader has taken what waits. */
  readonly back: InHistory | Joining;
}

export interface Gone {
  readonly at: 'gone';
  readonly position: number;
  readonly place: HistoryPlace | null;
}

export type CourseEvent =
  /** The store has answered: the live part begins at `position`. */
  | { readonly type: 'opened'; readonly position: number }
  /** Stored rows up to `place` were sent, or told missing; null is the end of history. */
  | { readonly type: 'historyReached'; readonly place: HistoryPlace | null }
  /** Everything before `position` was sent, or told missing. */
  | { readonly type: 'reached'; readonly position: number }
  /** Has come to the place where it was live at the start; the journal ends at `head`. */
  | { readonly type: 'caughtUp'; readonly head: number }
  /** The group takes it with it from now on. */
  | { readonly type: 'joined' }
  /** Leaves the group, all of which has what is before `position`. */
  | { readonly type: 'parted'; readonly position: number }
  /** The reader does not take what it has, or not in its time. */
  | { readonly type: 'lagged' }
  /** The reader has taken what waited. */
  | { readonly type: 'drained' }
  | { readonly type: 'ended' };

/** A course was told something that cannot happen in its state: a defect. */
export class CourseBroken extends Error {
  constructor(course: Course, event: CourseEvent) {
    super(`a tail in state "${course.at}" cannot take "${event.type}"`);
    this.name = 'CourseBroken';
  }
}

/** The state after an event. One that is gone stays so whatever comes late. Throws CourseBroken. */
export function next(course: Course, event: CourseEvent): Course {
  switch (course.at) {
    case 'history':
      return fromHistory(course, event);
    case 'joining':
      return fromJoining(course, event);
    case 'live':
      return fromLive(course, event);
    case 'lagging':
      return fromLagging(course, event);
    case 'gone':
      return course;
    default:
      return course satisfies never;
  }
}

function fromHistory(course: InHistory, event: CourseEvent): Course {
  switch (event.type) {
    case 'opened':
      return { ...course, position: event.position, liveFrom: event.position };
    case 'historyReached':
      if (event.place !== null) return { ...course, place: event.place };
      return joining(course.plan, course.position);
    case 'lagged':
      return { at: 'lagging', back: course };
    case 'ended':
      return gone(course);
    case 'reached':
    case 'caughtUp':
    case 'joined':
    case 'parted':
    case 'drained':
      throw new CourseBroken(course, event);
    default:
      return event satisfies never;
  }
}

function fromJoining(course: Joining, event: CourseEvent): Course {
  const { plan } = course;
  switch (event.type) {
    case 'reached':
      return { ...course, position: Math.max(course.position, event.position), alone: false };
    case 'caughtUp':
      if (course.position < plan.joinedAt) throw new CourseBroken(course, event);
      return { ...course, toldLive: true, collapse: course.collapse && course.position < event.head };
    case 'joined':
      if (!mayJoin(course)) throw new CourseBroken(course, event);
      return { at: 'live', plan, position: course.position };
    case 'lagged':
      return {
        at: 'lagging',
        back: { ...course, collapse: course.collapse || (course.toldLive && plan.mode === 'latest') },
      };
    case 'ended':
      return gone(course);
    case 'opened':
    case 'historyReached':
    case 'parted':
    case 'drained':
      throw new CourseBroken(course, event);
    default:
      return event satisfies never;
  }
}

function fromLive(course: Live, event: CourseEvent): Course {
  const { plan, position } = course;
  switch (event.type) {
    case 'reached':
      return { at: 'live', plan, position: Math.max(position, event.position) };
    case 'parted':
      return {
        at: 'joining',
        plan,
        position: Math.max(position, event.position),
        toldLive: true,
        collapse: false,
        alone: true,
      };
    case 'ended':
      return gone(course);
    case 'opened':
    case 'historyReached':
    case 'caughtUp':
    case 'joined':
    case 'lagged':
    case 'drained':
      throw new CourseBroken(course, event);
    default:
      return event satisfies never;
  }
}

function fromLagging(course: Lagging, event: CourseEvent): Course {
  switch (event.type) {
    case 'drained':
      return course.back;
    case 'ended':
      return gone(course);
    case 'opened':
    case 'historyReached':
    case 'reached':
    case 'caughtUp':
    case 'joined':
    case 'parted':
    case 'lagged':
      throw new CourseBroken(course, event);
    default:
      return event satisfies never;
  }
}

/** A course without history, or behind it. */
export function joining(plan: CoursePlan, position: number): Joining {
  return { at: 'joining', plan, position, toldLive: false, collapse: false, alone: false };
}

function gone(course: Course): Gone {
  return { at: 'gone', position: positionOf(course), place: placeOf(course) };
}

export function positionOf(course: Course): number {
  return course.at === 'lagging' ? course.back.position : course.position;
}

/** Where it is in history; null behind it. */
export function placeOf(course: Course): HistoryPlace | null {
  switch (course.at) {
    case 'history':
    case 'gone':
      return course.place;
    case 'lagging':
      return placeOf(course.back);
    case 'joining':
    case 'live':
      return null;
    default:
      return course satisfies never;
  }
}

/** Whether it may go live as soon as its group is where it is. */
export function mayJoin({ plan, position, toldLive, collapse, alone }: Joining): boolean {
  return toldLive && !collapse && !alone && position >= plan.joinedAt;
}

/** Rows before this time are left out; null where none are. */
export function minTimeNs({ plan, position }: Joining): bigint | null {
  return position < plan.joinedAt ? plan.fromNs : null;
}
