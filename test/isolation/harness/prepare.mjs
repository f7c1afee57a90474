/** What is in the store before a row begins. */
import { WebSocket } from 'ws';
import { FrameEncoder, shippedSchema } from '../../../dist/devices/fleet/encoder.js';
import { IngestClient } from '../../../dist/src/client/index.js';

const encoder = new FrameEncoder(shippedSchema('environment.avsc'));
const LOADERS = 20;
const READINGS = 2_500;
/** The device whose last hour is asked for: a reading a second. */
export const STEADY = 'steady';
const HOUR_S = 3_600;

/** A frame of `count` readings, `stepMs` apart from `startMs` on. */
export function frameOf(count, startMs, stepMs) {
  const readings = Array.from({ length: count }, (_, i) => ({
    time: startMs + i * stepMs,
    temperature: 20 + (i % 100) / 10,
    humidity: 40,
    pressure: 1013.25,
    battery: 3.7,
    ok: true,
  }));
  return encoder.encode({ device: null, readings });
}

async function send(url, device, frames) {
  const client = new IngestClient({
    url: url.replace('http', 'ws'),
    device,
    WebSocket,
    outbox: { maxFrames: 1e6, maxBytes: 1024 ** 3 },
  });
  for (const frame of frames) client.send(frame);
  const all = await client.flushed(120_000);
  client.close();
  if (!all) throw new Error(`${device}: not all of its frames were acknowledged`);
}

/** Waits until the store has all that is acknowledged. */
export async function stored(server, patienceMs = 120_000) {
  const endMs = Date.now() + patienceMs;
  for (;;) {
    const ledger = await server.json('/v1/ledger');
    if (ledger.pending === 0) return ledger;
    if (Date.now() > endMs) throw new Error(`${ledger.pending} readings are still pending`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The steady device's hour, and so many other rows, from many devices in large frames. */
export async function prepare(server, rows) {
  const startMs = Date.now() - HOUR_S * 1_000;
  await send(server.url, STEADY, [frameOf(HOUR_S, startMs, 1_000)]);
  const frames = Math.ceil(rows / LOADERS / READINGS);
  const all = Array.from({ length: frames }, (_, n) => frameOf(READINGS, startMs + n * READINGS, 1));
  await Promise.all(
    Array.from({ length: rows === 0 ? 0 : LOADERS }, (_, n) => send(server.url, `loader-${n}`, all)),
  );
  await stored(server);
}
