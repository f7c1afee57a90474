/**
 * A load generator in a process of its own: connections over bare TCP that send WebSocket messages which were
 * encoded and masked beforehand, so that it costs next to nothing per frame. Started by fork(); the options come
 * as one JSON argument, the counts go to the parent as messages.
 *
 *   port, path       of the receiver; `{device}` in the path is replaced
 *   connections      how many
 *   readings         of each frame (Environment); 0 sends them as one message that repeats `messageBytes`
 *   windowFrames     unacknowledged frames per connection; 0 where the receiver does not acknowledge
 *   framesPerS       of all connections together; 0 for as many as go
 *   seconds          how long
 *   empty            true for messages without a byte, each of which is refused
 *   startMs          when the readings begin; an hour ago when it is missing
 *   now              readings begin when they are sent, for whoever measures how long they take; with framesPerS
 */
import { connect } from 'node:net';
import { Latencies } from '../dist/devices/fleet/latencies.js';
import { environmentFrame, masked, readMessages, upgradeRequest } from './wire.mjs';

const options = JSON.parse(process.argv[2]);
const { port, path, connections, readings, windowFrames, framesPerS, seconds, empty = false } = options;

/** Far enough back that no reading is ever ahead of the clock. */
const startMs = options.startMs ?? Date.now() - 3_600_000;
const frame = empty ? Buffer.alloc(0) : environmentFrame(readings, startMs);
const message = masked(frame);
/** Writes of each connection that are encoded and masked before the start; the others are made once, when it is their turn. */
const CHUNKS_BEFOREHAND = 64;
/** Frames of one write: half a window, so that the other half is under way; at most 64 KB without a window. */
const burst =
  framesPerS > 0
    ? 1
    : Math.max(1, windowFrames > 0 ? windowFrames >> 1 : Math.floor(65_536 / message.length));
/** Where nothing is acknowledged, a receiver that keeps up would never let timers have their turn. */
const WRITES_AT_ONCE = 16;
/** The n-th write of every connection: each goes on where the one before ended, so that no reading comes twice. */
const chunks = [];
for (let n = 0; n < CHUNKS_BEFOREHAND && !options.now; n++) chunkOf(n);
const latencies = new Latencies();
const counts = { sent: 0, acked: 0, rejected: 0, readings: readings * 1, frameBytes: frame.length };
const run = { ended: false };

const devices = await Promise.all(
  Array.from({ length: connections }, (_, i) => open(`${empty ? 'rubbish' : 'bench'}-${i}`)),
);
process.send({ ready: true, frameBytes: frame.length, messageBytes: message.length });
await new Promise((resolve) => process.once('message', resolve));

const cpuStart = process.cpuUsage();
const beginMs = performance.now();
if (framesPerS > 0) pace();
else for (const device of devices) fill(device);
setTimeout(finish, seconds * 1_000);

/** Frames spread evenly over the connections and over time. */
function pace() {
  let done = 0;
  let next = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - beginMs) / 1_000) * framesPerS);
    for (; done < due && !run.ended; done++) {
      const device = devices[next++ % devices.length];
      device.sentAtMs.push(performance.now());
      send(device);
    }
    if (run.ended) clearInterval(timer);
  }, 1);
}

function fill(device) {
  for (let n = 0; !run.ended && !device.blocked && mayGo(device); n++) {
    if (windowFrames === 0 && n === WRITES_AT_ONCE) return void setImmediate(fill, device);
    send(device);
  }
}

function mayGo({ sent, acked }) {
  return windowFrames === 0 || sent - acked + burst <= windowFrames;
}

function send(device) {
  const chunk = options.now ? masked(environmentFrame(readings)) : chunkOf(device.sent / burst);
  device.sent += burst;
  counts.sent += burst;
  device.blocked = !device.socket.write(chunk);
}

function chunkOf(n) {
  // A receiver that does not acknowledge does not look at the times either.
  if (windowFrames === 0 && n > 0) return chunks[0];
  chunks[n] ??= Buffer.concat(
    Array.from({ length: burst }, (_, i) =>
      empty ? message : masked(environmentFrame(readings, startMs + (n * burst + i) * readings)),
    ),
  );
  return chunks[n];
}

/** Waits for the last acks, then tells the counts. */
function finish() {
  run.ended = true;
  const elapsedS = (performance.now() - beginMs) / 1_000;
  const ackedInTime = counts.acked;
  const { user, system } = process.cpuUsage(cpuStart);
  const end = () => {
    process.send({
      ...counts,
      ackedInTime,
      elapsedS,
      cpuS: (user + system) / 1e6,
      ackMsP50: latencies.percentile(0.5),
      ackMsP99: latencies.percentile(0.99),
    });
    for (const { socket } of devices) socket.destroy();
    process.disconnect();
  };
  if (windowFrames === 0) return end();
  const deadline = performance.now() + 30_000;
  const wait = setInterval(() => {
    if (counts.acked < counts.sent && performance.now() < deadline) return;
    clearInterval(wait);
    end();
  }, 10);
}

function open(device) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const state = { socket, sent: 0, acked: 0, base: 0, blocked: false, sentAtMs: [], rest: Buffer.alloc(0) };
    socket.on('error', reject);
    socket.on('drain', () => {
      state.blocked = false;
      if (framesPerS === 0) fill(state);
    });
    let upgraded = false;
    socket.on('data', (bytes) => {
      const all = state.rest.length === 0 ? bytes : Buffer.concat([state.rest, bytes]);
      let at = 0;
      if (!upgraded) {
        const end = all.indexOf('\r\n\r\n');
        if (end < 0) return void (state.rest = all);
        if (!all.subarray(0, 12).toString().includes('101')) return reject(new Error(all.toString()));
        upgraded = true;
        at = end + 4;
        // A receiver that does not acknowledge sends no welcome either.
        if (windowFrames === 0) resolve(state);
      }
      at = readMessages(all, at, (text) => onMessage(state, text, resolve));
      state.rest = all.subarray(at);
    });
    socket.write(upgradeRequest(path.replace('{device}', device), port));
  });
}

function onMessage(device, text, opened) {
  if (empty && text.startsWith('{"type":"reject"')) return void counts.rejected++;
  const seq = Number(/"seq":(\d+)/.exec(text)?.[1] ?? Number.NaN);
  if (text.includes('"welcome"')) {
    device.base = seq;
    opened(device);
  } else if (text.includes('"ack"')) {
    const acked = seq - device.base;
    counts.acked += acked - device.acked;
    if (framesPerS > 0) {
      const nowMs = performance.now();
      for (const sentAtMs of device.sentAtMs.splice(0, acked - device.acked)) latencies.add(nowMs - sentAtMs);
    }
    device.acked = acked;
    if (framesPerS === 0) fill(device);
  } else {
    throw new Error(`unexpected message: ${text}`);
  }
}
