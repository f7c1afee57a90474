/**
 * A way in that only tests have, in the place of the transport HTTP: `POST /test/frames?device=ID`, a frame in base64
 * on each line, answered when all are on disk. `full=withhold` lets a full journal withhold the answer.
 */
import { pathToFileURL } from 'node:url';

const program = pathToFileURL(`${process.env.FAULT_PROGRAM}/`);
const { LIMITS } = await import(new URL('core/index.js', program).href);
const { WAYS_IN } = await import(new URL('app/index.js', program).href);

function openPosted(hub, edge) {
  edge.http(async (exchange) => {
    const parameters = new URLSearchParams(exchange.query);
    const { device } = hub.identify({
      transport: 'http',
      header: (name) => exchange.header(name),
      devices: parameters.getAll('device'),
    });
    const lines = (await exchange.body(LIMITS.intakeBytes)).toString('latin1').split('\n');
    const frames = lines.map((line) => Buffer.from(line, 'base64'));
    const taken = await hub.intake.take(device, 'http', frames, parameters.get('full') ?? 'refuse');
    const headers = { 'Content-Type': 'application/json', 'Test-Process': String(process.pid) };
    return { status: 200, headers, body: JSON.stringify(taken) };
  }, '/test/frames');
  return { connections: 0, goaway() {}, end() {} };
}

export const POSTED = { ...WAYS_IN, http: openPosted };
