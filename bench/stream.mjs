/**
 * A fleet in a process of its own that sends frames which differ, made and masked beforehand, each once: a connection
 * per device over bare TCP, and `burst` frames of a device in one write, as TCP gathers them where the sender is ahead.
 * Started by fork(); options come as one JSON argument (`port, devices, rounds, readings, startMs, burst`). Tells
 * { ready, frames } and begins when it is told to; tells { elapsedS, cpuS } when every frame has been acknowledged.
 */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { Environment } from './environment.mjs';
import { masked } from './masked.mjs';

const { port, devices, rounds, readings, startMs, burst } = JSON.parse(process.argv[2]);
const environment = new Environment(devices, startMs);
const sockets = new Map();
for (let i = 0; i < devices; i++) sockets.set(Environment.device(i), await open(Environment.device(i)));

/** Writes in their order: each device's first burst, then each one's second. */
const writes = [];
let frames = 0;
for (const ofDevices of environment.bursts(rounds, readings, burst)) {
  for (const [device, ofDevice] of ofDevices) {
    const state = sockets.get(device);
    state.sent += ofDevice.length;
    frames += ofDevice.length;
    writes.push([state.socket, Buffer.concat(ofDevice.map(masked))]);
  }
}
process.send({ ready: true, frames });
await new Promise((resolve) => process.once('message', resolve));
const cpu = process.cpuUsage();
const beginMs = performance.now();
let next = 0;
send();

/** A few at a time, so that acks are read between. */
function send() {
  const end = Math.min(writes.length, next + 500);
  for (; next < end; next++) writes[next][0].write(writes[next][1]);
  if (next < writes.length) setImmediate(send);
}

function onAck() {
  for (const { sent, acked } of sockets.values()) if (acked < sent) return;
  const { user, system } = process.cpuUsage(cpu);
  process.send({ elapsedS: (performance.now() - beginMs) / 1_000, cpuS: (user + system) / 1e6 });
  for (const { socket } of sockets.values()) socket.destroy();
  process.disconnect();
}

function open(device) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const state = { socket, sent: 0, acked: 0, base: null, text: '' };
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      // Acks are short and few: the newest number is all that counts.
      state.text = (state.text + bytes.toString('latin1')).slice(-4_096);
      if (/"type":"reject"/.test(state.text)) throw new Error(state.text);
      if (state.base === null) {
        const welcome = /"type":"welcome".*?"seq":(\d+)/.exec(state.text);
        if (welcome === null) return;
        state.base = Number(welcome[1]);
        state.text = '';
        return resolve(state);
      }
      const acks = [...state.text.matchAll(/"type":"ack","seq":(\d+)\}/g)];
      const newest = acks.at(-1);
      if (newest === undefined) return;
      state.acked = Number(newest[1]) - state.base;
      if (state.acked === state.sent) onAck();
    });
    socket.write(
      `GET /v1/ingest?device=${device} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  });
}
