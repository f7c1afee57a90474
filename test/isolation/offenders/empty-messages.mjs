/** Devices that send empty messages, which are refused one by one, as many as their windows allow. */
import { connections, Connection, message, opening, tally } from '../harness/flood.mjs';

const MESSAGES_PER_S = 57_000;
const WINDOW = 4_000;
const EMPTY = message('binary', '');
const BATCH = 500;
const BATCH_BYTES = Buffer.concat(Array.from({ length: BATCH }, () => EMPTY));

export function run(context, { count }) {
  return connections(
    count,
    (n) =>
      new Connection(context, {
        head: opening(`/v1/ingest?device=empty-${n}`, context),
        upgrade: true,
        begin: (socket) => device(socket, context, count),
      }),
  );
}

function device(socket, context, count) {
  const { counts } = context;
  const state = { base: null, sent: 0, acked: 0, rest: '' };
  const fill = () => {
    while (!socket.destroyed && !socket.writableNeedDrain && state.sent - state.acked + BATCH <= WINDOW) {
      if ((counts.sent ?? 0) >= (context.limit ?? Infinity)) return;
      socket.write(BATCH_BYTES);
      state.sent += BATCH;
      tally(counts, 'sent', BATCH);
    }
  };
  const drip = () => {
    const timer = setInterval(
      () => {
        if (socket.destroyed) return clearInterval(timer);
        if (state.sent - state.acked >= WINDOW) return;
        socket.write(EMPTY);
        state.sent += 1;
        tally(counts, 'sent');
      },
      1_000 / ((MESSAGES_PER_S * context.share) / count),
    );
  };
  socket.on('drain', fill);
  return (bytes) => {
    const text = state.rest + bytes.toString('latin1');
    // An ack that was cut in two is whole with what comes next.
    state.rest = text.slice(-200);
    if (state.base === null) {
      const welcome = /"type":"welcome".*?"seq":(\d+)/.exec(text);
      if (welcome === null) return;
      state.base = Number(welcome[1]);
      if (context.slow) drip();
    }
    const at = text.lastIndexOf('"type":"ack","seq":');
    const ack = at < 0 ? null : /^(\d+)\}/.exec(text.slice(at + 19));
    if (ack !== null) {
      const acked = Math.max(state.acked, Number(ack[1]) - state.base);
      tally(counts, 'settled', acked - state.acked);
      state.acked = acked;
    }
    if (!context.slow) fill();
  };
}
