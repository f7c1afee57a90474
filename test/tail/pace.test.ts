import { expect, test } from '@jest/globals';
import { until } from '../fixtures/until.ts';
import { BASE_MS, openBench } from './harness.ts';
import { MemoryReader, openHub } from './memory-reader.ts';

test('a reader that falls behind in the very moment in which it joins its group goes on once, not twice', async () => {
  const bench = await openBench();
  const { hub, defects } = openHub(bench);
  const join = hub.join.bind(hub);
  let joins = 0;
  // As when the group's next block is encoded already: it is delivered before the subscription's own work goes on.
  hub.join = (subscription, position) => {
    const joined = join(subscription, position);
    if (!joined) return false;
    joins += 1;
    if (joins > 1) return true;
    reader.lag();
    setImmediate(() => reader.read());
    subscription.goAlone(position);
    return true;
  };
  const reader: MemoryReader = new MemoryReader(hub, { from: BASE_MS });
  await until('the reader to have joined again', () => joins > 1 || defects.length > 0);
  for (let count = 0; count < 3; count++) {
    bench.appendClimate('d1', 'hall', [{ time: BASE_MS + count, count }]);
    await bench.commit();
  }
  await until('all rows', () => reader.rows.length >= 3 || defects.length > 0);
  expect(defects).toEqual([]);
  expect(reader.rows.map((row) => row[4])).toEqual([0, 1, 2]);
  await reader.subscription.close();
});
