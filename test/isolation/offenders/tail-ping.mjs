/** Tail connections that send pings without end, and read none of the pongs. */
import { message, pouringTails } from '../harness/flood.mjs';

const PINGS_PER_S = 300_000;
/** As long as a control frame may be. */
const PING = message('ping', 'p'.repeat(125));

export function run(context, { count }) {
  return pouringTails(context, count, [PING], PINGS_PER_S);
}
