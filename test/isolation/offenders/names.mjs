/** One device after the other that nobody has heard of, each with one frame, a valid one or none at all. */
import { environmentFrame, masked } from '../../../bench/wire.mjs';
import { connect } from 'node:net';
import { opening, tally } from '../harness/flood.mjs';

const LANES = 64;
const NAMES_PER_S = 10_000;

export function run(context, { names, frame }) {
  const { port, counts } = context;
  const payload = frame ? masked(environmentFrame(1, Date.now() - 60_000)) : null;
  const total = context.limit ?? names;
  const state = { next: 0, stopped: false, open: new Set(), left: LANES };
  let finish;
  const done = new Promise((resolve) => {
    finish = resolve;
  });
  const lane = () => {
    if (state.stopped || state.next >= total) {
      state.left -= 1;
      if (state.left === 0) finish();
      return;
    }
    const name = `name-${(state.next++).toString(36).padStart(8, '0')}`;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    state.open.add(socket);
    let text = '';
    let sent = false;
    const end = (how) => {
      if (!state.open.delete(socket)) return;
      tally(counts, how);
      // Without waiting for the other side, so that no port is kept.
      socket.resetAndDestroy();
      if (context.slow) setTimeout(lane, (1_000 * LANES) / (NAMES_PER_S * context.share));
      else lane();
    };
    socket.on('connect', () => socket.write(opening(`/v1/ingest?device=${name}`, context)));
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
      if (status !== undefined && status !== '101') return end(`status ${status}`);
      if (!sent && text.includes('"welcome"')) {
        sent = true;
        if (payload === null) end('welcomed');
        else socket.write(payload);
      } else if (sent && text.includes('"ack"')) end('acked');
    });
    socket.on('error', (error) => end(error.code ?? 'error'));
    socket.on('close', () => end('ended'));
  };
  for (let n = 0; n < LANES; n++) lane();
  return {
    done,
    stop: () => {
      state.stopped = true;
      for (const socket of state.open) socket.resetAndDestroy();
    },
  };
}
