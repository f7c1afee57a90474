/**
 * Honest devices and an honest tail that follows all of them, as a process of its own, started by fork(). A device's
 * readings lie a fixed step apart, so that the tail sees at once what is missing and what comes twice. At `finish` it
 * tells how many readings of each device were acknowledged and what the tail has seen.
 */
import { WebSocket } from 'ws';
import { IngestClient, TailClient } from '../../../dist/src/client/index.js';
import { frameOf } from './prepare.mjs';

const STEP_MS = 20;
const READINGS = 5;
const FLUSH_MS = 60_000;

const { url, devices, framesPerS } = JSON.parse(process.argv[2]);
const wsUrl = url.replace('http', 'ws');
const startMs = Date.now() - 3_600_000;
const names = Array.from({ length: devices }, (_, n) => `honest-${n}`);
const acked = new Map(names.map((name) => [name, 0]));
const sent = new Map(names.map((name) => [name, 0]));
const seen = new Map(names.map((name) => [name, 0]));
const tail = { rows: 0, twice: 0, missing: 0, gaps: 0, errors: 0, lives: 0 };

const tailClient = new TailClient({ url: wsUrl, WebSocket });
await new Promise((resolve) => {
  tailClient.subscribe(
    { measurement: 'environment', device: names, field: 'ok', from: 'now' },
    {
      onRows: (rows) => {
        for (const [time, device] of rows) hear(device, (Date.parse(time) - startMs) / STEP_MS);
      },
      onLive: () => {
        tail.lives += 1;
        resolve();
      },
      onGap: () => (tail.gaps += 1),
      onError: () => (tail.errors += 1),
    },
  );
});

function hear(device, index) {
  const next = seen.get(device);
  tail.rows += 1;
  if (index < next) tail.twice += 1;
  else {
    tail.missing += index - next;
    seen.set(device, index + 1);
  }
}

const clients = names.map(
  (device) =>
    new IngestClient({
      url: wsUrl,
      device,
      WebSocket,
      outbox: { maxFrames: 1e5, maxBytes: 64 * 1024 ** 2 },
      onSettled: ({ refusal, readings }) => {
        if (refusal === null) acked.set(device, acked.get(device) + readings);
      },
    }),
);
let turn = 0;
/** One device after the other, so that they do not send all at once. */
const sending = setInterval(() => {
  const at = turn++ % devices;
  const first = sent.get(names[at]);
  if (clients[at].send(frameOf(READINGS, startMs + first * STEP_MS, STEP_MS), READINGS))
    sent.set(names[at], first + READINGS);
}, 1_000 / framesPerS);

process.on('message', (asked) => {
  if (asked === 'finish') void finish();
});
process.on('disconnect', () => process.exit(1));
process.send({ ready: true });

async function finish() {
  clearInterval(sending);
  const flushed = await Promise.all(clients.map((client) => client.flushed(FLUSH_MS)));
  const endMs = Date.now() + FLUSH_MS;
  const isBehind = () => names.some((name) => seen.get(name) < acked.get(name));
  while (isBehind() && Date.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 100));
  for (const name of names) tail.missing += Math.max(0, acked.get(name) - seen.get(name));
  const unsettled = flushed.filter((all) => !all).length;
  process.send({ finished: { acked: Object.fromEntries(acked), unsettled, tail } }, () => process.exit(0));
}
