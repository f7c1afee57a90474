import { describe, expect, test } from '@jest/globals';
import { BlockMemory } from '../../../src/journal/index.ts';
import { Connection, folder, framesFrom, letter, open, text } from '../harness.ts';

describe('taking frames', () => {
  test('a frame is told durable, and is read back with everything that came with it', async () => {
    const journal = await open(await folder());
    const device = new Connection('a');
    journal.append(device, 1, text('one'), 10, 1_700_000_000_000);
    journal.append(device, 2, text('two'), 0, 1_699_999_999_990);
    expect(device.durable).toEqual([]);
    expect(journal.head()).toBe(0);
    await journal.flush();
    expect(device.durable).toEqual([2]);
    expect(journal.head()).toBe(2);
    expect(journal.deviceSeq('a')).toBe(2);
    expect(framesFrom(journal)).toEqual([
      {
        position: 0,
        device: 'a',
        seq: 1,
        transport: 'ws',
        arrivalMs: 1_700_000_000_000,
        readings: 10,
        text: 'one',
      },
      {
        position: 1,
        device: 'a',
        seq: 2,
        transport: 'ws',
        arrivalMs: 1_699_999_999_990,
        readings: 0,
        text: 'two',
      },
    ]);
  });

  test('walking blocks in one memory gives the frames of the same blocks read by themselves', async () => {
    const journal = await open(await folder(), { blockBytes: 500 });
    const devices = [new Connection('a'), new Connection('b')];
    for (let seq = 1; seq <= 60; seq++) {
      for (const device of devices)
        journal.append(device, seq, text(`${device.device} ${seq} ${'x'.repeat(seq)}`), seq, seq * 10);
    }
    await journal.flush();
    const memory = new BlockMemory();
    for (const from of [0, 1, 17, 119]) {
      const walked = [];
      let blocks = 0;
      for (let position = from; position < journal.head(); blocks++) {
        const block = journal.read(position, memory);
        if (block === undefined) throw new Error(`no block at ${position}`);
        const cursor = block.walk(position);
        while (cursor.next()) {
          const { device, seq, transport, arrivalMs, readings, bytes, start, end } = cursor;
          const words = Buffer.from(bytes.subarray(start, end)).toString();
          walked.push({
            position: cursor.position,
            device,
            seq,
            transport,
            arrivalMs,
            readings,
            text: words,
          });
        }
        position = block.next;
      }
      expect(walked).toEqual(framesFrom(journal, from));
      expect(walked).toHaveLength(120 - from);
      if (from === 0) expect(blocks).toBeGreaterThan(1);
    }
  });

  test('a lone frame is on disk without anybody asking', async () => {
    const journal = await open(await folder());
    const device = new Connection('a');
    const committed = new Promise<number>((resolve) => journal.onCommit(resolve));
    journal.append(device, 1, text('one'), 1, 1);
    expect(await committed).toBe(1);
    expect(device.acked).toBe(1);
  });

  test('the bytes are copied before append returns', async () => {
    const journal = await open(await folder());
    const bytes = Buffer.from('keep');
    journal.append(new Connection('a'), 1, bytes, 1, 1);
    bytes.fill('x');
    await journal.flush();
    expect(framesFrom(journal)[0]?.text).toBe('keep');
  });

  test('frames of many devices keep their order, over many blocks and larger ones than a block', async () => {
    const journal = await open(await folder(), { blockBytes: 2_000 });
    const devices = Array.from({ length: 50 }, (_, i) => new Connection(`device-${i}`));
    const sent: string[] = [];
    for (let seq = 1; seq <= 40; seq++) {
      for (const device of devices) {
        const body = `${device.device}/${seq}${seq === 20 ? '!'.repeat(5_000) : ''}`;
        sent.push(body);
        journal.append(device, seq, text(body), 1, 1_000 + seq);
      }
      if (seq % 10 === 0) await journal.flush();
    }
    expect(framesFrom(journal).map((frame) => frame.text)).toEqual(sent);
    expect(framesFrom(journal, 777).map((frame) => frame.position)[0]).toBe(777);
    for (const device of devices) {
      expect(device.acked).toBe(40);
      expect(device.durable).toEqual([...device.durable].sort((a, b) => a - b));
      expect(new Set(device.durable).size).toBe(device.durable.length);
    }
  });

  test('a refused frame takes a number, is told durable, and is kept as a dead letter', async () => {
    const dir = await folder();
    const journal = await open(dir);
    const device = new Connection('a');
    const bad = Buffer.from('bad');
    journal.append(device, 1, text('one'), 4, 1);
    journal.reject(device, 2, letter('a', bad));
    journal.append(device, 3, text('three'), 4, 1);
    bad.fill('x');
    await journal.flush();
    journal.reject(device, 4, letter('a', text('worse')));
    await journal.flush();
    expect(device.durable).toEqual([3, 4]);
    expect(framesFrom(journal).map(({ seq, position }) => [position, seq])).toEqual([
      [0, 1],
      [1, 3],
    ]);
    expect(journal.deadLetters(10).map(({ bytes, kind }) => [Buffer.from(bytes).toString(), kind])).toEqual([
      ['worse', 'rejected'],
      ['bad', 'rejected'],
    ]);
    expect(journal.ledger()).toMatchObject({ received: 10, rejected: 2, pending: 8 });
    await journal.close();
    const again = await open(dir);
    expect(again.deviceSeq('a')).toBe(4);
  });

  test('what a replaced connection had in flight is not taken twice, and its successor is told when it is safe', async () => {
    const journal = await open(await folder());
    const old = new Connection('a');
    const young = new Connection('a');
    journal.append(old, 1, text('one'), 3, 1);
    journal.append(old, 2, text('two'), 3, 1);
    journal.append(young, 1, text('one'), 3, 2);
    journal.append(young, 2, text('two'), 3, 2);
    journal.append(young, 3, text('three'), 3, 2);
    await journal.flush();
    expect(young.durable).toEqual([3]);
    expect(framesFrom(journal).map((frame) => [frame.seq, frame.text])).toEqual([
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
    ]);
    expect(journal.ledger()).toMatchObject({ received: 15, duplicates: 6, pending: 9 });
  });

  test('a number that leaves a hole is refused and nothing of it is counted', async () => {
    const journal = await open(await folder());
    const device = new Connection('a');
    expect(() => journal.append(device, 2, text('two'), 1, 1)).toThrow(/frame 2 of a/);
    journal.append(device, 1, text('one'), 1, 1);
    expect(() => journal.append(device, 3, text('three'), 1, 1)).toThrow(/frame 3 of a/);
    await journal.flush();
    expect(device.durable).toEqual([1]);
    expect(journal.ledger().received).toBe(1);
  });

  test('frames of other transports leave the device number alone and are told durable by their own', async () => {
    const journal = await open(await folder());
    const socket = new Connection('a');
    const request = new Connection('a', 'http');
    journal.append(socket, 1, text('one'), 1, 1);
    journal.append(request, 7, text('posted'), 1, 1);
    journal.append(socket, 2, text('two'), 1, 1);
    await journal.flush();
    expect(journal.deviceSeq('a')).toBe(2);
    expect(request.durable).toEqual([7]);
    expect(framesFrom(journal).map(({ transport, seq }) => [transport, seq])).toEqual([
      ['ws', 1],
      ['http', 7],
      ['ws', 2],
    ]);
  });

  test('flush ends while frames keep coming', async () => {
    const journal = await open(await folder(), { blockDelayMs: 0 });
    const device = new Connection('a');
    let seq = 0;
    let going = true;
    journal.onCommit(() => {
      if (going) journal.append(device, ++seq, text('more'), 1, 1);
    });
    journal.append(device, ++seq, text('first'), 1, 1);
    await journal.flush();
    expect(device.acked).toBeGreaterThanOrEqual(1);
    going = false;
  });
});
