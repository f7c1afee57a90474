/**
 * Devices that connect and then do nothing, in a process of its own (fork; one JSON argument). Messages from the
 * parent: `open` (more connections of the same kind), `send` (one frame on each); after each it tells the parent when
 * the receiver has answered all of them.
 *
 *   port, path     of the receiver; `{device}` in the path is replaced
 *   localAddress   of the connections: one address has ports for some 28,000
 *   name           that the devices' names begin with
 *   answers        whether the receiver sends a welcome and acks
 */
import { connect } from 'node:net';
import { environmentFrame, masked, readMessages, upgradeRequest } from './wire.mjs';

const { port, path, localAddress, name, answers } = JSON.parse(process.argv[2]);
/** Connections whose handshake is under way: below every receiver's backlog. */
const AT_ONCE = 100;

const message = masked(environmentFrame(1));
const sockets = [];
let awaited = 0;
let acked = () => {};

process.on('message', (asked) => void answer(asked));

async function answer({ open, send }) {
  for (let left = open ?? 0; left > 0; left -= AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(left, AT_ONCE) }, connectOne));
  }
  if (send) await sendOneEach();
  process.send('done');
}

function sendOneEach() {
  awaited = answers ? sockets.length : 0;
  for (const socket of sockets) socket.write(message);
  if (awaited === 0) return undefined;
  return new Promise((resolve) => {
    acked = resolve;
  });
}

function connectOne() {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    const device = `${name}-${sockets.push(socket)}`;
    let rest = Buffer.alloc(0);
    let upgraded = false;
    socket.on('error', reject);
    socket.on('close', () => {
      throw new Error(`the connection of ${device} was closed`);
    });
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      if (!upgraded) {
        const end = rest.indexOf('\r\n\r\n');
        if (end < 0) return;
        if (!rest.subarray(0, 12).toString().includes('101')) reject(new Error(rest.toString()));
        upgraded = true;
        rest = rest.subarray(end + 4);
        if (!answers) resolve();
      }
      const at = readMessages(rest, 0, (text) => {
        if (text.includes('"welcome"')) resolve();
        else if (text.includes('"ack"') && --awaited === 0) acked();
      });
      rest = rest.subarray(at);
    });
    socket.write(upgradeRequest(path.replace('{device}', device), port));
  });
}
