import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import avsc from 'avsc';
import { runFleet } from '../../devices/index.ts';
import type { FleetOptions, FleetProgress } from '../../devices/index.ts';
import { until } from '../fixtures/until.ts';
import { KeepingGateway } from './keeping-gateway.ts';

describe('a fleet', () => {
  let gateway: KeepingGateway;
  beforeEach(async () => {
    gateway = await KeepingGateway.open();
  });
  afterEach(() => gateway.close());

  const run = (options: Partial<FleetOptions> = {}) =>
    runFleet({
      url: gateway.url,
      model: 'environment',
      count: 4,
      rate: 20,
      readings: 5,
      durationMs: 1_000,
      seed: 1,
      ...options,
    });

  /** The readings that the gateway holds, by device. */
  function readings(file: string): Map<string, { time: number }[]> {
    const type = avsc.Type.forSchema(
      JSON.parse(readFileSync(`${process.cwd()}/schemas/${file}`, 'utf8')) as avsc.Schema,
    );
    return new Map(
      [...gateway.kept].map(([device, frames]) => [
        device,
        frames.flatMap(
          (frame) => (type.fromBuffer(frame.subarray(10)) as { readings: { time: number }[] }).readings,
        ),
      ]),
    );
  }

  test.each(['environment', 'vehicle', 'power'])(
    'of model %s sends what it should and has all acknowledged',
    async (model) => {
      const summary = await run({ model });
      expect(summary).toMatchObject({
        devices: 4,
        frames_sent: 80,
        frames_acked: 80,
        frames_rejected: 0,
        frames_unacked: 0,
        readings_sent: 400,
        readings_acked: 400,
        reconnects: 0,
      });
      expect(summary.ack_ms_p50).toBeGreaterThan(0);
      expect(summary.ack_ms_p99).toBeGreaterThanOrEqual(summary.ack_ms_p50);
      expect([...gateway.kept.keys()].sort()).toEqual([1, 2, 3, 4].map((n) => `${model}-000${n}`));
      for (const [, kept] of readings(`${model}.avsc`)) expect(kept).toHaveLength(100);
    },
  );

  test('stores every acknowledged reading once, with a time of its own, across cut connections', async () => {
    const running = run({ durationMs: 4_000, idPrefix: 'cut' });
    for (const frames of [60, 160]) {
      await until('some frames', () => gateway.frames >= frames);
      gateway.stopAcking();
      await until('more frames', () => gateway.frames >= frames + 20);
      gateway.cut();
    }
    const summary = await running;
    expect(summary).toMatchObject({
      frames_sent: 320,
      frames_acked: 320,
      readings_acked: 1_600,
      reconnects: 8,
    });
    expect(gateway.frames).toBe(320);
    for (const [, kept] of readings('environment.avsc')) {
      expect(new Set(kept.map(({ time }) => time)).size).toBe(400);
      expect(Math.max(...kept.map(({ time }) => time))).toBeLessThanOrEqual(Date.now());
    }
  });

  test('counts refusals by code, apart from what was taken', async () => {
    gateway.refused.add('environment-0002');
    expect(await run()).toMatchObject({
      frames_sent: 80,
      frames_acked: 60,
      frames_rejected: 20,
      readings_acked: 300,
      readings_rejected: 100,
      rejected: { schema_unknown: 20 },
    });
  });

  test('a second run gives times of its own', async () => {
    await run();
    await run();
    for (const [, kept] of readings('environment.avsc')) {
      expect(new Set(kept.map(({ time }) => time)).size).toBe(200);
    }
  });

  test('without end runs until it is told to stop, and still has everything acknowledged', async () => {
    const stop = new AbortController();
    const progress: FleetProgress[] = [];
    const running = run({
      durationMs: Number.POSITIVE_INFINITY,
      signal: stop.signal,
      onProgress: (seen) => progress.push(seen),
    });
    const last = await until('progress', () => progress.find((seen) => seen.frames_acked > 40));
    expect(last.connected).toBe(4);
    stop.abort();
    const summary = await running;
    expect(summary.frames_sent).toBeGreaterThan(40);
    expect(summary.frames_acked).toBe(summary.frames_sent);
    expect(gateway.frames).toBe(summary.frames_sent);
  });

  test('ends early when every device is told not to come back', async () => {
    const running = run({ durationMs: 600_000 });
    await until('frames', () => gateway.frames >= 8);
    gateway.endAll(4508);
    expect((await running).stopped).toEqual({ 'close code 4508': 4 });
  });

  test('refuses a model that is none and rates that leave readings without a millisecond', async () => {
    await expect(run({ model: 'toaster' })).rejects.toThrow('environment, vehicle, power');
    await expect(run({ rate: 100, readings: 11 })).rejects.toThrow('1000 readings/s');
    await expect(run({ count: 0 })).rejects.toThrow('count');
    expect(gateway.connections).toBe(0);
  });
});
