/** Tail connections that subscribe and unsubscribe without end, and read none of the answers. */
import { connections, Connection, message, opening, pour } from '../harness/flood.mjs';

const MESSAGES_PER_S = 100_000;
const MESSAGES = [
  message('text', JSON.stringify({ type: 'subscribe', id: 'a', measurement: 'environment' })),
  message('text', JSON.stringify({ type: 'unsubscribe', id: 'a' })),
];

export function run(context, { count }) {
  const perS = context.slow ? (MESSAGES_PER_S * context.share) / count : undefined;
  return connections(
    count,
    () =>
      new Connection(context, {
        head: opening('/v1/tail', context),
        upgrade: true,
        begin: (socket) => pour(socket, context, MESSAGES, perS),
      }),
  );
}
