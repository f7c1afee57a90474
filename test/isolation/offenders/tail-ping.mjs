/** Tail connections that send pings without end, and read none of the pongs. */
import { connections, Connection, message, opening, pour } from '../harness/flood.mjs';

const PINGS_PER_S = 300_000;
/** As long as a control frame may be. */
const PING = message('ping', 'p'.repeat(125));

export function run(context, { count }) {
  const perS = context.slow ? (PINGS_PER_S * context.share) / count : undefined;
  return connections(
    count,
    () =>
      new Connection(context, {
        head: opening('/v1/tail', context),
        upgrade: true,
        begin: (socket) => pour(socket, context, [PING], perS),
      }),
  );
}
