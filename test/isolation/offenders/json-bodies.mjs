/** Connections that ask by POST with bodies of 1 MB that name 60,000 tags, the next one as soon as one is answered. */
import { connections, Connection, tally } from '../harness/flood.mjs';

const TAGS = 60_000;
/** With a thousandth of the bodies a second that 30 connections get through. */
const SLOW_EVERY_MS = 10_000;

export function run(context, { count }) {
  const { port, counts } = context;
  const tag = Object.fromEntries(Array.from({ length: TAGS }, (_, n) => [`t${n}`, 'x']));
  const body = Buffer.from(JSON.stringify({ measurement: 'environment', tag }).padEnd(1024 ** 2 - 1));
  const request = Buffer.concat([
    Buffer.from(
      [
        'POST /v1/query HTTP/1.1',
        `Host: 127.0.0.1:${port}`,
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
        '\r\n',
      ].join('\r\n'),
    ),
    body,
  ]);
  const begin = (socket) => {
    const ask = () => {
      if (socket.destroyed || (counts.sent ?? 0) >= (context.limit ?? Infinity)) return;
      tally(counts, 'sent');
      socket.write(request);
    };
    ask();
    return (bytes) => {
      const status = /^HTTP\/1\.1 (\d+)/.exec(bytes.toString('latin1'))?.[1];
      // Only a part that begins an answer has a status; the answers are short.
      if (status === undefined) return;
      tally(counts, `status ${status}`);
      if (context.slow) setTimeout(ask, SLOW_EVERY_MS);
      else ask();
    };
  };
  return connections(context.slow ? Math.ceil(count / 10) : count, () => new Connection(context, { begin }));
}
