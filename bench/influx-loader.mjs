/** A bare loader: posts lines that were made beforehand to InfluxDB, and does nothing else. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { BODY_BYTES, BodyPool } from '../dist/src/store/influx/write/body.js';
import { Encoder } from '../dist/src/store/influx/write/encoder.js';

/** Points of a body, and connections. */
export const LOADER = { points: 5_000, connections: 2 };
const TICKS_PER_S = 100;

/** Bodies of lines as a loader would read them from a file: grouped by series within each body. */
export function loaderBodies(batches) {
  const pool = new BodyPool();
  const bodies = [];
  for (const batch of batches) {
    const from = new Encoder([batch], pool);
    for (
      let body = from.next(LOADER.points, BODY_BYTES);
      body !== null;
      body = from.next(LOADER.points, BODY_BYTES)
    ) {
      bodies.push({ bytes: Buffer.from(body.bytes), points: body.count });
      pool.give(body);
    }
  }
  return bodies;
}

function post(server, agent, bytes) {
  return new Promise((resolve, reject) => {
    const url = `${server.url}/api/v2/write?org=${server.org}&bucket=${server.bucket}&precision=ns`;
    const sent = request(
      url,
      { method: 'POST', agent, headers: { authorization: `Token ${server.token}` } },
      (answer) => {
        answer
          .resume()
          .on('end', () =>
            answer.statusCode === 204 ? resolve() : reject(new Error(`${answer.statusCode}`)),
          );
      },
    );
    sent.on('error', reject).end(bytes);
  });
}

/** Bodies with the lines in the order of the batch's rows, in which frames arrive. */
export function unsortedBodies(batch) {
  const pool = new BodyPool();
  const from = new Encoder([batch], pool);
  const lines = [];
  for (let body = from.next(LOADER.points, BODY_BYTES); body !== null;) {
    for (let i = 0; i < body.count; i++) lines[body.rows[i]] = Buffer.from(body.line(i));
    pool.give(body);
    body = from.next(LOADER.points, BODY_BYTES);
  }
  const bodies = [];
  for (let first = 0; first < lines.length; first += LOADER.points) {
    // A row without a field has no line.
    const part = lines.slice(first, first + LOADER.points).filter((line) => line !== undefined);
    bodies.push({ bytes: Buffer.concat(part), points: part.length });
  }
  return bodies;
}

/** Posts all bodies; resolves with their points. */
export async function load(server, bodies) {
  const agent = new Agent({ keepAlive: true, maxSockets: LOADER.connections });
  const waiting = [...bodies];
  const connection = async () => {
    for (let body = waiting.shift(); body !== undefined; body = waiting.shift())
      await post(server, agent, body.bytes);
  };
  await Promise.all(Array.from({ length: LOADER.connections }, connection));
  agent.destroy();
  return bodies.reduce((sum, { points }) => sum + points, 0);
}

/** User and system time of a process since its start. */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}
