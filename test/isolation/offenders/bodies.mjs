/** Connections that each send all of a large body but its last byte, and then wait. */
import { connections, Connection, tally } from '../harness/flood.mjs';

const BODY = Buffer.alloc(4 * 1024 ** 2 - 1, 0x20);
const PIECE_BYTES = 4 * 1024;
const COME_BACK_MS = 1_000;

export function run(context, { count }) {
  const { port, counts } = context;
  const head = Buffer.from(
    [
      'POST /v1/query HTTP/1.1',
      `Host: 127.0.0.1:${port}`,
      'Content-Type: application/json',
      `Content-Length: ${BODY.length + 1}`,
      '\r\n',
    ].join('\r\n'),
  );
  const begin = (socket) => {
    if (context.slow) trickle(socket);
    else socket.write(BODY);
    return (answer) => {
      tally(counts, `status ${/^HTTP\/1\.1 (\d+)/.exec(answer.toString('latin1'))?.[1] ?? 'none'}`);
      socket.destroy();
    };
  };
  return connections(count, () => new Connection(context, { head, begin, comeBackMs: COME_BACK_MS }));
}

/** A piece a second instead of the whole at once. */
function trickle(socket) {
  let at = 0;
  const timer = setInterval(() => {
    if (socket.destroyed || at >= BODY.length) return clearInterval(timer);
    if (socket.writableNeedDrain) return;
    socket.write(BODY.subarray(at, at + PIECE_BYTES));
    at += PIECE_BYTES;
  }, 1_000);
}
