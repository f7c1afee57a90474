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
 */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { FrameEncoder, shippedSchema } from '../dist/devices/fleet/encoder.js';
import { Latencies } from '../dist/devices/fleet/latencies.js';

const options = JSON.parse(process.argv[2]);
const { port, path, connections, readings, windowFrames, framesPerS, seconds } = options;

const frame = environmentFrame(readings);
const message = masked(frame);
/** Frames of one write: half a window, so that the other half is under way; at most 64 KB without a window. */
const burst =
  framesPerS > 0
    ? 1
    : Math.max(1, windowFrames > 0 ? windowFrames >> 1 : Math.floor(65_536 / message.length));
const chunk = Buffer.concat(Array.from({ length: burst }, () => message));
const latencies = new Latencies();
const counts = { sent: 0, acked: 0, readings: readings * 1, frameBytes: frame.length };
const run = { ended: false };

const devices = await Promise.all(Array.from({ length: connections }, (_, i) => open(`bench-${i}`)));
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
  while (!run.ended && !device.blocked && mayGo(device)) send(device);
}

function mayGo({ sent, acked }) {
  return windowFrames === 0 || sent - acked + burst <= windowFrames;
}

function send(device) {
  device.sent += burst;
  counts.sent += burst;
  device.blocked = !device.socket.write(chunk);
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
    socket.write(
      `GET ${path.replace('{device}', device)} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
        `Connection: Upgrade\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  });
}

function onMessage(device, text, opened) {
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

/** Calls back with each whole text message from `at` on; returns where the rest begins. */
function readMessages(bytes, at, onText) {
  while (at + 2 <= bytes.length) {
    const opcode = bytes[at] & 15;
    let size = bytes[at + 1] & 127;
    let start = at + 2;
    if (size === 126) {
      if (start + 2 > bytes.length) break;
      size = bytes.readUInt16BE(start);
      start += 2;
    }
    if (start + size > bytes.length) break;
    if (opcode === 1) onText(bytes.toString('latin1', start, start + size));
    at = start + size;
  }
  return at;
}

function environmentFrame(count) {
  const nowMs = Date.now();
  const items = Array.from({ length: count }, (_, i) => ({
    time: nowMs + i,
    temperature: Math.round(2_000 + 5 * Math.sin(i / 9) * 100) / 100,
    humidity: Math.round(400 + i / 3) / 10,
    pressure: 1013.25,
    battery: Math.round(370 - i / 50) / 100,
    ok: true,
  }));
  return new FrameEncoder(shippedSchema('environment.avsc')).encode({ device: null, readings: items });
}

/** A binary WebSocket message as a client sends it: masked with a random key. */
function masked(payload) {
  const key = randomBytes(4);
  const extended = payload.length > 65_535 ? 8 : payload.length > 125 ? 2 : 0;
  const header = Buffer.alloc(2 + extended + 4);
  header[0] = 0x82;
  header[1] = 0x80 | (extended === 8 ? 127 : extended === 2 ? 126 : payload.length);
  if (extended === 2) header.writeUInt16BE(payload.length, 2);
  if (extended === 8) header.writeBigUInt64BE(BigInt(payload.length), 2);
  key.copy(header, 2 + extended);
  return Buffer.concat([header, payload.map((byte, i) => byte ^ key[i & 3])]);
}
