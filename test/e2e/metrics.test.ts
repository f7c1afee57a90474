import { afterEach, expect, test } from '@jest/globals';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';

const folder = temporaryFolder();
let server: ServerProcess | null = null;
afterEach(async () => {
  await server?.end('SIGKILL');
  folder.remove();
});

test('metrics tell the ledger by transport, the journal’s state and the store’s circuit, all as numbers', async () => {
  server = await startServer({ MILLRACE_DATA_DIR: folder.path });
  const device = new DeviceSocket(server.wsUrl, 'device=a');
  await device.expect('welcome');
  device.socket.send(environmentFrame([{ time: Date.now() }, { time: Date.now() + 1 }]));
  device.socket.send(Buffer.from('no frame'));
  await device.acked(2);
  await device.end();

  const text = await (await fetch(`${server.url}/metrics`)).text();
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(samples.filter((line) => !line.startsWith('millrace_'))).toEqual([]);
  // A quantile of no sample is the one number that is not there.
  const broken = samples.filter((line) => !/ [-+0-9.e]+$|\+Inf/.test(line));
  expect(broken.filter((line) => !line.startsWith('millrace_nodejs_'))).toEqual([]);
  for (const line of [
    'millrace_ledger_readings{state="received",transport="ws"} 3',
    'millrace_ledger_readings{state="rejected",transport="ws"} 1',
    'millrace_ledger_readings{state="received",transport="mqtt"} 0',
    'millrace_journal_state{state="open"} 1',
    'millrace_journal_state{state="failed"} 0',
    'millrace_store_circuit{state="closed"} 1',
    'millrace_frames_rejected_total{code="frame_framing"} 1',
    'millrace_frames_rejected_total{code="schema_unknown"} 0',
    'millrace_tail_gaps_total 0',
    'millrace_held_bytes{kind="unread"} 0',
    'millrace_held_bytes{kind="bodies"} 0',
    'millrace_held_limit_bytes{kind="unread"} 268435456',
    'millrace_connections_ended_total{code="too_much_unread"} 0',
    'millrace_tail_lags_total 0',
    'millrace_tail_filter_looks_total 0',
    'millrace_tail_filter_bytes 0',
  ]) {
    expect(samples).toContain(line);
  }
});
