import { describe, expect, test } from '@jest/globals';
import {
  CourseBroken,
  mayJoin,
  minTimeNs,
  next,
  placeOf,
  positionOf,
  type Course,
  type CourseEvent,
  type CoursePlan,
  type Gone,
  type InHistory,
  type Joining,
  type Lagging,
  type Live,
} from '../../src/tail/course.ts';

const plan: CoursePlan = { joinedAt: 10, fromNs: 7n, mode: 'all' };
const latest: CoursePlan = { ...plan, mode: 'latest' };
const place = { timeNs: 8n, row: null };
const later = { timeNs: 9n, row: null };

const history: InHistory = { at: 'history', plan, position: 4, liveFrom: 10, place };
const behind: Joining = {
  at: 'joining',
  plan,
  position: 6,
  toldLive: false,
  collapse: false,
  alone: false,
};
const ready: Joining = { ...behind, position: 12, toldLive: true };
const live: Live = { at: 'live', plan, position: 12 };
const lagging: Lagging = { at: 'lagging', back: ready };
const gone: Gone = { at: 'gone', position: 12, place: null };

const events = {
  opened: { type: 'opened', position: 3 },
  historyReached: { type: 'historyReached', place: later },
  reached: { type: 'reached', position: 14 },
  caughtUp: { type: 'caughtUp', head: 20 },
  joined: { type: 'joined' },
  parted: { type: 'parted', position: 15 },
  lagged: { type: 'lagged' },
  drained: { type: 'drained' },
  ended: { type: 'ended' },
} satisfies { [Type in CourseEvent['type']]: CourseEvent & { type: Type } };

const states = { history, joining: ready, live, lagging, gone } satisfies {
  [At in Course['at']]: Course & { at: At };
};

/** What each event makes of each state; null is a defect. */
const table: Record<Course['at'], Record<CourseEvent['type'], Course | null>> = {
  history: {
    opened: { ...history, position: 3, liveFrom: 3 },
    historyReached: { ...history, place: later },
    reached: null,
    caughtUp: null,
    joined: null,
    parted: null,
    lagged: { at: 'lagging', back: history },
    drained: null,
    ended: { at: 'gone', position: 4, place },
  },
  joining: {
    opened: null,
    historyReached: null,
    reached: { ...ready, position: 14 },
    caughtUp: ready,
    joined: live,
    parted: null,
    lagged: { at: 'lagging', back: ready },
    drained: null,
    ended: gone,
  },
  live: {
    opened: null,
    historyReached: null,
    reached: { ...live, position: 14 },
    caughtUp: null,
    joined: null,
    parted: { ...ready, position: 15, alone: true },
    lagged: null,
    drained: null,
    ended: gone,
  },
  lagging: {
    opened: null,
    historyReached: null,
    reached: null,
    caughtUp: null,
    joined: null,
    parted: null,
    lagged: null,
    drained: ready,
    ended: gone,
  },
  gone: {
    opened: gone,
    historyReached: gone,
    reached: gone,
    caughtUp: gone,
    joined: gone,
    parted: gone,
    lagged: gone,
    drained: gone,
    ended: gone,
  },
};

describe('the course of a subscription', () => {
  for (const at of Object.keys(table) as Course['at'][]) {
    test.each(Object.entries(table[at]))(`in state "${at}" takes "%s" as the table says`, (type, after) => {
      const event = events[type as CourseEvent['type']];
      if (after === null) expect(() => next(states[at], event)).toThrow(CourseBroken);
      else expect(next(states[at], event)).toEqual(after);
    });
  }

  test('names the state and the event of a defect', () => {
    expect(() => next(live, events.drained)).toThrow('a tail in state "live" cannot take "drained"');
  });

  test('changes no state that it is given', () => {
    for (const state of Object.values(states)) {
      const before = structuredClone(state);
      for (const event of Object.values(events)) {
        try {
          next(state, event);
        } catch (error) {
          expect(error).toBeInstanceOf(CourseBroken);
        }
      }
      expect(state).toEqual(before);
    }
  });
});

describe('a course', () => {
  test('goes on with the journal where history has ended', () => {
    expect(next(history, { type: 'historyReached', place: null })).toEqual({ ...behind, position: 4 });
  });

  test('goes back into history when the reader has taken what it had of it', () => {
    const waiting = next(history, events.lagged);
    expect([positionOf(waiting), placeOf(waiting)]).toEqual([4, place]);
    expect(next(waiting, events.drained)).toEqual(history);
    expect(next(waiting, events.ended)).toEqual({ at: 'gone', position: 4, place });
  });

  test('never goes back in the journal', () => {
    const early = 2;
    for (const course of [ready, live]) {
      expect(positionOf(next(course, { type: 'reached', position: early }))).toBe(12);
    }
    expect(positionOf(next(live, { type: 'parted', position: early }))).toBe(12);
  });

  test('cannot be told live, or go live, before the place where it began', () => {
    expect(() => next(behind, events.caughtUp)).toThrow(CourseBroken);
    expect(mayJoin({ ...behind, toldLive: true })).toBe(false);
    expect(() => next({ ...behind, toldLive: true }, events.joined)).toThrow(CourseBroken);
    const there = next({ ...behind, position: 10 }, events.caughtUp);
    expect(there).toMatchObject({ at: 'joining', toldLive: true });
    expect(next(there, events.joined)).toEqual({ ...live, position: 10 });
  });

  test('that left its group reads on alone before it may go live again', () => {
    const alone = next(live, events.parted) as Joining;
    expect(mayJoin(alone)).toBe(false);
    expect(() => next(alone, events.joined)).toThrow(CourseBroken);
    const waited = next(next(alone, events.lagged), events.drained) as Joining;
    expect(mayJoin(waited)).toBe(false);
    expect(mayJoin(next(waited, { type: 'reached', position: waited.position }) as Joining)).toBe(true);
  });

  test('leaves out rows before the time asked for only up to where it began', () => {
    expect(minTimeNs(behind)).toBe(7n);
    expect(minTimeNs({ ...behind, position: 10 })).toBeNull();
  });

  test('with mode=latest collapses what a slow reader missed, until it is at the head', () => {
    const slow = next({ ...ready, plan: latest }, events.lagged);
    const back = next(slow, events.drained) as Joining;
    expect(back.collapse).toBe(true);
    expect(mayJoin(back)).toBe(false);
    const short = next(back, { type: 'caughtUp', head: 13 });
    expect(short).toMatchObject({ collapse: true });
    expect(next(short, { type: 'caughtUp', head: 12 })).toMatchObject({ collapse: false });
  });

  test('collapses nothing before it was told live, nor with mode=all', () => {
    for (const course of [{ ...behind, plan: latest }, ready]) {
      expect(next(next(course, events.lagged), events.drained)).toMatchObject({ collapse: false });
    }
  });
});
