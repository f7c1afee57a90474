import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LIMITS } from '../../src/core/index.ts';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';

const outboxId = (n: number): string => `outbox-of-a-unit-${n}`;

describe.each(['1', '2'])('outboxes of one device, with MILLRACE_PROCESSES=%s', (processes) => {
  let folder: ReturnType<typeof temporaryFolder>;
  let server: ServerProcess;
  const start = async (): Promise<void> => {
    server = await startServer({ MILLRACE_DATA_DIR: folder.path, MILLRACE_PROCESSES: processes });
  };
  beforeEach(async () => {
    folder = temporaryFolder();
    await start();
  });
  afterEach(async () => {
    await server.end('SIGTERM');
    folder.remove();
  });

  /** Connects, sends so many frames, and gives the welcome when all are acknowledged. */
  async function visit(outbox: number, frames: number): Promise<{ epoch: string; seq: number }> {
    const device = new DeviceSocket(server.wsUrl, `device=a&outbox=${outboxId(outbox)}`);
    try {
      const { epoch = '', seq = 0 } = await device.expect('welcome');
      for (let i = 0; i < frames; i++) device.socket.send(environmentFrame([{ time: Date.now() - i }]));
      if (frames > 0) await device.acked(seq + frames);
      return { epoch, seq };
    } finally {
      await device.end();
    }
  }

  test('keep their numbers and epochs over kill -9; the least recently used is forgotten and told so', async () => {
    const epochs: string[] = [];
    for (let n = 0; n < LIMITS.outboxesPerDevice; n++) epochs.push((await visit(n, n + 1)).epoch);
    await server.end('SIGKILL');
    await start();
    for (const [n, epoch] of epochs.entries()) expect(await visit(n, 0)).toEqual({ epoch, seq: n + 1 });
    expect(await visit(100, 1)).toMatchObject({ seq: 0 });
    await server.end('SIGKILL');
    await start();
    const forgotten = await visit(0, 0);
    expect(forgotten.seq).toBe(0);
    expect(forgotten.epoch).not.toBe(epochs[0]);
    expect(await visit(1, 1)).toEqual({ epoch: epochs[1], seq: 2 });
    expect(await visit(100, 0)).toMatchObject({ seq: 1 });
  });

  test('a wrong id is refused with 400', async () => {
    const device = new DeviceSocket(server.wsUrl, 'device=a&outbox=short');
    expect(await device.rejected()).toMatchObject({ status: 400, body: { code: 'outbox_invalid' } });
  });
});
