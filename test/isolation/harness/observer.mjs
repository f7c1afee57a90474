/**
 * What the others get: a device that sends a frame every 20 ms, a reader that asks for the last hour of one device
 * every 200 ms, and a look at /healthz every 100 ms. A process of its own, started by fork(); tells the parent what
 * was answered and what waits, and at `finish` what became of its frames.
 */
import { Agent, get } from 'node:http';
import { WebSocket } from 'ws';
import { IngestClient } from '../../../dist/src/client/index.js';
import { frameOf, STEADY } from './prepare.mjs';

const FRAME_EVERY_MS = 20;
const QUERY_EVERY_MS = 200;
const HEALTH_EVERY_MS = 100;
const TELL_EVERY_MS = 50;
/** So many questions without an answer are enough. */
const MAX_WAITING = 50;
const FLUSH_MS = 60_000;

const { url } = JSON.parse(process.argv[2]);
const nowMs = () => performance.timeOrigin + performance.now();
const samples = [];
const waiting = { ack: [], query: new Set(), healthz: new Set() };
const counts = { sent: 0, acked: 0, refused: 0, reconnects: -1 };

/** `why` is null for an answer. */
const settle = (kind, atMs, why) => samples.push({ kind, atMs, ms: nowMs() - atMs, why });

const client = new IngestClient({
  url: url.replace('http', 'ws'),
  device: 'honest',
  WebSocket,
  outbox: { maxFrames: 1e6, maxBytes: 1024 ** 3 },
  onSettled: ({ refusal }) => {
    counts[refusal === null ? 'acked' : 'refused'] += 1;
    settle('ack', waiting.ack.shift(), refusal?.code ?? null);
  },
  onWelcome: () => {
    counts.reconnects += 1;
  },
});

let lastMs = 0;
const sending = setInterval(() => {
  waiting.ack.push(nowMs());
  counts.sent += 1;
  // Two readings of one time would be one row.
  lastMs = Math.max(lastMs + 1, Math.round(nowMs()));
  client.send(frameOf(1, lastMs, 1));
}, FRAME_EVERY_MS);

function ask(kind, path, agent) {
  if (waiting[kind].size >= MAX_WAITING) return;
  const asked = { atMs: nowMs() };
  waiting[kind].add(asked);
  const end = (why) => {
    if (waiting[kind].delete(asked)) settle(kind, asked.atMs, why);
  };
  const request = get(url + path, { agent }, (response) => {
    response.resume();
    response.on('close', () => {
      if (!response.complete) end('cut');
      else end(response.statusCode === 200 ? null : `status ${response.statusCode}`);
    });
    response.on('error', () => {});
  });
  request.on('error', (error) => end(error.code ?? 'error'));
}

const agent = new Agent({ keepAlive: true });
const path = `/v1/query?measurement=environment&device=${STEADY}&from=-1h`;
const asking = [
  setInterval(() => ask('query', path, agent), QUERY_EVERY_MS),
  setInterval(() => ask('healthz', '/healthz', false), HEALTH_EVERY_MS),
];
setInterval(() => {
  const oldest = Object.entries(waiting).flatMap(([kind, all]) =>
    [...all].map((one) => ({ kind, atMs: one.atMs ?? one })),
  );
  process.send({ samples: samples.splice(0), waiting: oldest });
}, TELL_EVERY_MS);

process.on('message', (asked) => {
  if (asked === 'finish') void finish();
});
process.on('disconnect', () => process.exit(1));
process.send({ ready: true });

async function finish() {
  clearInterval(sending);
  for (const timer of asking) clearInterval(timer);
  await client.flushed(FLUSH_MS);
  process.send({ finished: counts }, () => process.exit(0));
}
