/**
 * Two references for the ingest path, each a process of its own (fork; one JSON argument; tells its port):
 *
 *   bare        a uWebSockets.js receiver that counts messages and does nothing else
 *   prototype   the least that can acknowledge durably: a guard written by hand for the Environment schema, blocks of
 *               1 MB into lmdb, synced, cumulative acks. No identity, limits, ledger, dead letters or duplicates.
 */
import { open } from 'lmdb';
import * as uws from 'uWebSockets.js';

const { kind, dir } = JSON.parse(process.argv[2]);
const BLOCK_BYTES = 1024 * 1024;
const app = uws.App();
let received = 0;
let failed = 0;

if (kind === 'bare') {
  app.ws('/*', {
    maxPayloadLength: 1 << 20,
    message() {
      received++;
    },
  });
} else {
  const store = open({
    path: `${dir}/prototype.lmdb`,
    encoding: 'binary',
    overlappingSync: false,
    eventTurnBatching: false,
  });
  let block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  let length = 0;
  let blocks = 0;
  let waiting = new Set();
  let sealed = [];
  let busy = false;
  let scheduled = false;

  const seal = () => {
    if (length === 0) return;
    sealed.push({ bytes: block.subarray(0, length), sockets: waiting });
    block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    length = 0;
    waiting = new Set();
  };
  const commit = async () => {
    scheduled = false;
    if (busy) return;
    busy = true;
    for (seal(); sealed.length > 0; seal()) {
      const batch = sealed;
      sealed = [];
      await store.batch(() => {
        for (const { bytes } of batch) void store.put(blocks++, bytes);
      });
      for (const { sockets } of batch) {
        for (const [socket, seq] of sockets) socket.send(`{"type":"ack","seq":${seq}}`, false);
      }
    }
    busy = false;
  };
  app.ws('/*', {
    maxPayloadLength: 1 << 20,
    open(ws) {
      ws.getUserData().seq = 0;
      ws.send('{"type":"welcome","seq":0}', false);
    },
    message(ws, message) {
      const bytes = new Uint8Array(message);
      received++;
      if (guardEnvironment(bytes) < 0) failed++;
      if (length + bytes.length + 8 > BLOCK_BYTES) {
        seal();
        void commit();
      }
      block.writeUInt32LE(bytes.length, length);
      block.set(bytes, length + 4);
      length += bytes.length + 4;
      const user = ws.getUserData();
      user.seq++;
      if (user.block !== waiting) {
        user.block = waiting;
        user.entry = [ws, user.seq];
        waiting.add(user.entry);
      }
      user.entry[1] = user.seq;
      if (!scheduled && !busy) {
        scheduled = true;
        setTimeout(() => void commit(), 2);
      }
    },
  });
}

app.listen('127.0.0.1', 0, (socket) => process.send({ port: uws.us_socket_local_port(socket) }));
const cpuStart = process.cpuUsage();
process.on('message', () => {
  const { user, system } = process.cpuUsage(cpuStart);
  process.send({ received, failed, cpuS: (user + system) / 1e6 });
  process.exit();
});

/** Number of readings of an Environment frame, or -1. */
function guardEnvironment(bytes) {
  if (bytes[0] !== 0xc3 || bytes[1] !== 1) return -1;
  let at = 10;
  let readings = 0;
  if (bytes[at] === 2) at += 2 + (bytes[at + 1] >> 1);
  else if (bytes[at] === 0) at++;
  else return -1;
  for (;;) {
    let count = 0;
    let shift = 0;
    let byte;
    do {
      byte = bytes[at++];
      count |= (byte & 127) << shift;
      shift += 7;
    } while (byte > 127);
    count >>= 1;
    if (count === 0) break;
    readings += count;
    for (; count > 0; count--) {
      while (bytes[at++] > 127);
      for (let field = 0; field < 4; field++) {
        const branch = bytes[at++];
        if (branch === 2) at += 4;
        else if (branch !== 0) return -1;
      }
      if (bytes[at++] > 1) return -1;
    }
  }
  return at === bytes.length ? readings : -1;
}
