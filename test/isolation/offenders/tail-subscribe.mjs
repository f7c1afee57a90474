/** Tail connections that subscribe and unsubscribe without end, and read none of the answers. */
import { message, pouringTails } from '../harness/flood.mjs';

const MESSAGES_PER_S = 100_000;
const MESSAGES = [
  message('text', JSON.stringify({ type: 'subscribe', id: 'a', measurement: 'environment' })),
  message('text', JSON.stringify({ type: 'unsubscribe', id: 'a' })),
];

export function run(context, { count }) {
  return pouringTails(context, count, MESSAGES, MESSAGES_PER_S);
}
