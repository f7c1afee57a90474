/**
 * Readers of tails in a process of their own: bare TCP connections that subscribe and count rows. Started by fork(); the
 * options come as its first message, being too long for an argument. Tells { ready } when all are live, and its counts when it is told to end.
 *
 *   port           of the server
 *   path           of its WebSockets
 *   connections    for each of them its subscribe messages, as JSON texts; without any it is live when it is open
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Latencies } from '../dist/devices/fleet/latencies.js';
import { masked, readMessages, upgradeRequest } from './wire.mjs';

const [{ port, path, connections }] = await once(process, 'message');
const latencies = new Latencies();
const counts = { messages: 0, rows: 0, gaps: 0, errors: [] };
const joining = { wanted: 0, live: 0 };

const sockets = [];
/** A few at a time, as a server's queue of new connections is short. */
for (let at = 0; at < connections.length; at += 100) {
  sockets.push(...(await Promise.all(connections.slice(at, at + 100).map(open))));
}
while (joining.live < joining.wanted) await new Promise((resolve) => setTimeout(resolve, 20));
process.send({ ready: true });
await once(process, 'message');
process.send({ ...counts, msP50: latencies.percentile(0.5), msP99: latencies.percentile(0.99) });
for (const socket of sockets) socket.destroy();
process.disconnect();

function onText(text) {
  if (text.startsWith('{"type":"data"')) {
    counts.messages += 1;
    const rows = text.indexOf('"rows":[[');
    for (let at = rows; at >= 0; at = text.indexOf('],[', at + 1)) counts.rows += 1;
    // The first row's time is when its frame was sent.
    const end = text.indexOf('"', rows + 10);
    latencies.add(Math.max(0, Date.now() - Date.parse(text.slice(rows + 10, end))));
  } else if (text.startsWith('{"type":"live"')) joining.live += 1;
  else if (text.startsWith('{"type":"gap"')) counts.gaps += 1;
  else if (text.startsWith('{"type":"error"')) counts.errors.push(text);
}

function open(subscriptions) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let rest = Buffer.alloc(0);
    let upgraded = false;
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      let at = 0;
      if (!upgraded) {
        const end = all.indexOf('\r\n\r\n');
        if (end < 0) return void (rest = all);
        if (!all.subarray(0, 12).toString().includes('101')) return reject(new Error(all.toString()));
        upgraded = true;
        at = end + 4;
        joining.wanted += subscriptions.length;
        for (const text of subscriptions) {
          const message = masked(Buffer.from(text));
          message[0] = 0x81;
          socket.write(message);
        }
        resolve(socket);
      }
      at = readMessages(all, at, onText);
      rest = all.subarray(at);
    });
    socket.write(upgradeRequest(path, port));
  });
}
