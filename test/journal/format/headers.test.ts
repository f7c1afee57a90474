import { expect, test } from '@jest/globals';
import { openReads } from '../../../src/journal/local/lmdb/lmdb-reads.ts';
import { openStorage } from '../../../src/journal/local/lmdb/lmdb-storage.ts';
import { openJournalOn } from '../../../src/journal/local/open.ts';
import { Connection, folder, stored, text } from '../harness.ts';

test('the headers that the writing process knows are those on disk, and go with their blocks', async () => {
  const dir = await folder();
  const storage = openStorage(dir, 1e9, Date.now());
  const journal = await openJournalOn(storage, { tailRetentionBytes: 0 });
  const reads = openReads(dir, 1e9);
  const device = new Connection('a');
  for (let seq = 1; seq <= 12; seq++) {
    journal.append(device, seq, text(`frame ${seq}`), seq, 1_700_000_000_000 + seq);
    if (seq % 3 === 0) await journal.flush();
  }
  const firsts = () => [...storage.infos(0)].map(({ first }) => first);
  reads.refresh();
  expect(firsts()).toEqual([0, 3, 6, 9]);
  expect([...storage.infos(0)]).toEqual([...reads.infos(0)]);

  await journal.settle(stored(6, 21));
  reads.refresh();
  expect(firsts()).toEqual([6, 9]);
  expect([...storage.infos(0)]).toEqual([...reads.infos(0)]);
  await storage.reopen();
  expect([...storage.infos(0)]).toEqual([...reads.infos(0)]);
  await journal.close();
  await reads.close();
});
