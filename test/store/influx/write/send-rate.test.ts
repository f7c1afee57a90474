import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { LIMITS } from '../../../../src/core/index.ts';
import { SendRate } from '../../../../src/store/influx/write/send-rate.ts';

const {
  influxBodyPoints,
  influxBodyMinPoints,
  influxBodyMaxPoints,
  influxConnections,
  influxMaxConnections,
  influxSlowMs,
} = LIMITS;

/** A server that works at so many bodies at once, each for a time of its own, behind a line with a delay. */
interface Server {
  cores: number;
  msPerPoint: number;
  msPerBody: number;
  delayMs: number;
}

/** Milliseconds until a body is answered while as many are under way as there are connections. */
function answerMs(
  { cores, msPerPoint, msPerBody, delayMs }: Server,
  { points, connections }: SendRate,
): number {
  const workMs = msPerBody + points * msPerPoint;
  const turns = Math.max(1, connections / cores);
  return Math.max(delayMs + workMs, turns * workMs);
}

/** Points per millisecond with that many connections and points. */
function pointsPerMs(server: Server, rate: Pick<SendRate, 'points' | 'connections'>): number {
  return (rate.connections * rate.points) / answerMs(server, rate as SendRate);
}

function after(answers: number, server: Server, rate = new SendRate()): SendRate {
  for (let n = 0; n < answers; n++) rate.took(rate.points, answerMs(server, rate));
  return rate;
}

const NEAR: Server = { cores: 2, msPerPoint: 0.005, msPerBody: 1, delayMs: 0 };

describe('how many points a body for InfluxDB has, and over how many connections bodies go', () => {
  test('both stay within their bounds, whatever the server does', () => {
    const answer = fc.record({
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      ms: fc.double({ min: 0.01, max: 1e6, noNaN: true }),
      failed: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 300 }), (answers) => {
        const rate = new SendRate();
        for (const { part, ms, failed } of answers) {
          if (failed) rate.failed();
          else rate.took(Math.ceil(rate.points * part), ms);
          expect(rate.points).toBeGreaterThanOrEqual(influxBodyMinPoints);
          expect(rate.points).toBeLessThanOrEqual(influxBodyMaxPoints);
          expect(rate.connections).toBeGreaterThanOrEqual(1);
          expect(rate.connections).toBeLessThanOrEqual(influxMaxConnections);
        }
      }),
    );
  });

  test('a server that keeps up gets larger bodies, by steps', () => {
    const rate = new SendRate();
    rate.took(rate.points, answerMs(NEAR, rate));
    expect(rate.points).toBe(influxBodyPoints + LIMITS.influxBodyStepPoints);
    expect(after(200, NEAR).points).toBe(influxBodyMaxPoints);
  });

  test('a server far away gets all connections', () => {
    const far = { cores: 8, msPerPoint: 0.005, msPerBody: 1, delayMs: 200 };
    expect(after(300, far).connections).toBe(influxMaxConnections);
  });

  test('whatever the server, it gets nearly as many points as it could', () => {
    const server = fc.record({
      cores: fc.integer({ min: 1, max: 16 }),
      msPerPoint: fc.double({ min: 0.001, max: 0.04, noNaN: true }),
      msPerBody: fc.double({ min: 0, max: 20, noNaN: true }),
      delayMs: fc.double({ min: 0, max: 300, noNaN: true }),
    });
    fc.assert(
      fc.property(server, (of) => {
        const best = Math.max(
          ...Array.from({ length: influxMaxConnections }, (_, i) =>
            pointsPerMs(of, { points: influxBodyMaxPoints, connections: i + 1 }),
          ),
        );
        const rate = after(600, of);
        let points = 0;
        let ms = 0;
        for (let n = 0; n < 200; n++) {
          const answered = answerMs(of, rate);
          points += rate.points * rate.connections;
          ms += answered;
          rate.took(rate.points, answered);
        }
        expect(points / ms).toBeGreaterThan(best * 0.7);
      }),
    );
  });

  test('more connections than the server works at are given up', () => {
    const busy = after(300, { cores: 8, msPerPoint: 0.005, msPerBody: 1, delayMs: 0 });
    expect(busy.connections).toBe(influxMaxConnections);
    after(20, { cores: 1, msPerPoint: 0.005, msPerBody: 1, delayMs: 0 }, busy);
    expect(busy.connections).toBeLessThanOrEqual(influxMaxConnections / 2);
  });

  test('a body that is answered slowly halves the next ones, a failure the connections too', () => {
    const rate = new SendRate();
    rate.took(rate.points, influxSlowMs + 1);
    expect(rate.points).toBe(influxBodyPoints / 2);
    expect(rate.connections).toBe(influxConnections);
    rate.failed();
    expect(rate.points).toBe(influxBodyPoints / 4);
    expect(rate.connections).toBe(influxConnections / 2);
    for (let n = 0; n < 20; n++) rate.failed();
    expect([rate.points, rate.connections]).toEqual([influxBodyMinPoints, 1]);
    after(300, NEAR, rate);
    expect(rate.points).toBe(influxBodyMaxPoints);
    expect(rate.connections).toBeGreaterThanOrEqual(influxConnections);
  });
});
