import { expect, test } from '@jest/globals';
import type { TailClient, TailHandlers, TailRequest } from '../../src/client/index.ts';
import { LiveDevices } from '../../src/dashboard/live-devices.ts';

/** A tail whose rows the test gives. */
class ScriptedTail implements Pick<TailClient, 'subscribe'> {
  readonly open = new Map<string, { request: TailRequest; handlers: TailHandlers }>();
  #count = 0;

  subscribe(request: TailRequest, handlers: TailHandlers): ReturnType<TailClient['subscribe']> {
    const id = String(++this.#count);
    this.open.set(id, { request, handlers });
    return { id, cursor: null, unsubscribe: () => this.open.delete(id) };
  }

  rows(...devices: string[]): void {
    const rows = devices.map((device) => ['2026-01-01T00:00:00Z', device]);
    for (const { handlers } of this.open.values()) handlers.onRows(rows, ['time', 'device']);
  }
}

test('devices are found by what they send, each once, and again for another measurement', () => {
  const tail = new ScriptedTail();
  const found: string[] = [];
  const seen = new LiveDevices(tail, (device, measurement) => found.push(`${measurement}/${device}`));
  seen.follow('power');
  seen.follow('power');
  expect([...tail.open.values()].map(({ request }) => request.measurement)).toEqual(['power']);
  tail.rows('a', 'b', 'a');
  tail.rows('b');
  seen.follow('air');
  tail.rows('a');
  expect(found).toEqual(['power/a', 'power/b', 'air/a']);
  seen.follow(null);
  expect(tail.open.size).toBe(0);
});

test('no more devices are told than a page can list', () => {
  const tail = new ScriptedTail();
  const found: string[] = [];
  const seen = new LiveDevices(tail, (device) => found.push(device));
  seen.follow('power');
  tail.rows(...Array.from({ length: 150 }, (_, i) => `d-${i}`));
  expect(found).toHaveLength(100);
});
