import { cpSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { until } from '../../fixtures/until.ts';
import { Connection, folder, framesFrom, open, text } from '../harness.ts';

const RECOVERY = { recoveryMinMs: 5, recoveryMaxMs: 40 };

/** A journal in a folder of its own inside a folder, with one frame. */
async function scene() {
  const dir = join(await folder(), 'journal');
  let gone = false;
  const alsoLook = (): void => {
    if (gone) throw new Error('the registry has gone');
  };
  const journal = await open(dir, { ...RECOVERY, alsoLook });
  const device = new Connection('a');
  const send = (seq: number): void => void journal.append(device, seq, text(`a${seq}`), 1, 1);
  send(1);
  await journal.flush();
  const failed = () => until('the journal to fail', () => journal.stats().state === 'failed');
  const recovered = () => until('the journal to take frames', () => journal.accepting());
  const setGone = (is: boolean): void => {
    gone = is;
  };
  return { dir, away: `${dir}.away`, journal, device, send, failed, recovered, setGone };
}

describe('a journal whose files are not where they were', () => {
  test.each([
    ['deleted', (dir: string) => rmSync(dir, { recursive: true })],
    ['moved away', (dir: string) => renameSync(dir, `${dir}.away`)],
    [
      'replaced by an empty folder',
      (dir: string) => {
        renameSync(dir, `${dir}.away`);
        mkdirSync(dir);
      },
    ],
    [
      'replaced by a copy of itself',
      (dir: string) => {
        cpSync(dir, `${dir}.copy`, { recursive: true });
        renameSync(dir, `${dir}.away`);
        renameSync(`${dir}.copy`, dir);
      },
    ],
    ['left without its data file', (dir: string) => rmSync(join(dir, 'journal.lmdb'))],
    ['left without its lock file', (dir: string) => rmSync(join(dir, 'journal.lmdb-lock'))],
  ])(
    'fails when its folder is %s, with and without traffic, and acknowledges nothing more',
    async (_, change) => {
      for (const idle of [true, false]) {
        const { dir, journal, device, send, failed } = await scene();
        change(dir);
        if (idle) await failed();
        for (let seq = 2; journal.stats().state !== 'failed'; seq++) {
          send(seq);
          await journal.flush().catch(() => undefined);
        }
        const { acked } = device;
        expect(journal.accepting()).toBe(false);
        expect(journal.stats().reason).toMatch(/was deleted or moved away|is another file/);
        const late = new Connection('b');
        journal.append(late, 1, text('late'), 1, 1);
        await expect(journal.flush()).rejects.toMatchObject({ code: 'journal_failed' });
        expect([late.failures, late.acked]).toEqual([1, 0]);
        await until('some tries', () => journal.stats().reason?.includes('tried again 3 times') === true);
        expect(device.acked).toBe(acked);
        await journal.close();
      }
    },
  );

  test('goes on when the same files are back, with all that was acknowledged, and made none in their place', async () => {
    const { dir, away, journal, failed, recovered } = await scene();
    renameSync(dir, away);
    await failed();
    await until('some tries', () => journal.stats().reason?.includes('tried again 3 times') === true);
    // It throws where a folder with anything in it has been made.
    renameSync(away, dir);
    await recovered();
    const again = new Connection('a');
    const next = journal.deviceSeq('a') + 1;
    journal.append(again, next, text('back'), 1, 1);
    await journal.flush();
    expect(again.acked).toBe(next);
    await journal.close();
    expect(framesFrom(await open(dir)).map((frame) => frame.text)).toEqual(['a1', 'back']);
  });

  test('goes on with the files themselves when a copy had been in their place', async () => {
    const { dir, away, journal, failed, recovered } = await scene();
    cpSync(dir, `${dir}.copy`, { recursive: true });
    renameSync(dir, away);
    renameSync(`${dir}.copy`, dir);
    await failed();
    expect(journal.stats().reason).toContain('is another file');
    await until('some tries', () => journal.stats().reason?.includes('tried again 3 times') === true);
    renameSync(dir, `${dir}.copy`);
    renameSync(away, dir);
    await recovered();
    expect(framesFrom(journal)).toMatchObject([{ text: 'a1' }]);
  });

  test('fails while something else is gone that its frames need, and goes on when that is back', async () => {
    const { journal, failed, recovered, setGone } = await scene();
    setGone(true);
    await failed();
    expect(journal.stats().reason).toContain('the registry has gone');
    setGone(false);
    await recovered();
  });
});
