/** Tail connections with as many subscriptions as they may have, each of another device that does not exist. */
import { connections, Connection, message, opening, tally } from '../harness/flood.mjs';

const SUBSCRIPTIONS = 32;

export function run(context, { count }) {
  // A filter has no rate: a thousandth of them.
  const [tails, each] = context.slow ? [1, 5] : [count, SUBSCRIPTIONS];
  return connections(
    tails,
    (n) =>
      new Connection(context, {
        head: opening('/v1/tail', context),
        upgrade: true,
        begin: (socket) => {
          for (let i = 0; i < each; i++) {
            const device = `nobody-${n}-${i}`;
            const subscribe = { type: 'subscribe', id: String(i), measurement: 'environment', device };
            socket.write(message('text', JSON.stringify(subscribe)));
            tally(context.counts, 'sent');
          }
          return () => {};
        },
      }),
  );
}
