/** Connections that send one GET behind the other without reading an answer. */
import { connections, Connection, pour } from '../harness/flood.mjs';

const REQUESTS_PER_S = 100_000;

export function run(context, { count }) {
  const perS = context.slow ? (REQUESTS_PER_S * context.share) / count : undefined;
  const request = Buffer.from(`GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1:${context.port}\r\n\r\n`);
  return connections(
    count,
    () => new Connection(context, { begin: (socket) => pour(socket, context, [request], perS) }),
  );
}
