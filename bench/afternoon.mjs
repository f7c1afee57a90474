/**
 * What an afternoon's code gives: receivers of the same frames that write into InfluxDB with the client's own means and
 * acknowledge without any disk. Each is a process of its own (fork; one JSON argument; tells its port, then that all
 * points that it has been told to expect, `{ points }`, are written):
 *
 *   ws    `ws`, avsc's decoder, a Point for each reading
 *   uws   uWebSockets.js, avsc's decoder, lines put together by hand, writeRecords
 */
import { InfluxDB, Point } from '@influxdata/influxdb-client';
import avsc from 'avsc';
import * as uws from 'uWebSockets.js';
import { WebSocketServer } from 'ws';
import { schemaText } from './environment.mjs';

const { kind, influx } = JSON.parse(process.argv[2]);
const FIELDS = ['temperature', 'humidity', 'pressure', 'battery'];
const HEADER_BYTES = 10;

const type = avsc.parse(JSON.parse(schemaText));
/** Many times what it takes, in milliseconds. */
const GIVE_UP_MS = 60_000;

const client = new InfluxDB({ url: influx.url, token: influx.token });
const writer = client.getWriteApi(influx.org, influx.bucket, 'ms', {
  batchSize: 5_000,
  // Bodies are sent without waiting for one another, and close() waits for the last alone.
  writeSuccess(lines) {
    written += lines.length;
    if (written >= points) process.send('written');
  },
});
let points = Infinity;
let received = 0;
let written = 0;
process.on('message', (told) => (points = told.points));
// What its client gives up is never counted.
setTimeout(() => {
  process.stderr.write(`${kind}: ${written} of ${points} points written, ${received} received\n`);
  process.exit(1);
}, GIVE_UP_MS).unref();

function write(device, bytes) {
  const { readings } = type.fromBuffer(bytes.subarray(HEADER_BYTES));
  if (kind === 'ws') for (const reading of readings) writer.writePoint(pointOf(device, reading));
  else writer.writeRecords(readings.map((reading) => lineOf(device, reading)));
  received += readings.length;
  if (received >= points) void writer.flush();
}

function pointOf(device, reading) {
  const point = new Point('environment').tag('device', device).timestamp(Number(reading.time));
  for (const name of FIELDS) if (reading[name] !== null) point.floatField(name, reading[name]);
  return point.booleanField('ok', reading.ok);
}

function lineOf(device, reading) {
  let fields = `ok=${reading.ok}`;
  for (const name of FIELDS) if (reading[name] !== null) fields += `,${name}=${reading[name]}`;
  return `environment,device=${device} ${fields} ${reading.time}`;
}

const deviceOf = (url) => new URLSearchParams(url.slice(url.indexOf('?'))).get('device');
const ack = (seq) => `{"type":"ack","seq":${seq}}`;
const WELCOME = '{"type":"welcome","seq":0}';

if (kind === 'ws') {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () =>
    process.send({ port: server.address().port }),
  );
  server.on('connection', (socket, request) => {
    const device = deviceOf(request.url);
    let seq = 0;
    socket.on('message', (bytes) => {
      write(device, bytes);
      socket.send(ack(++seq));
    });
    socket.send(WELCOME);
  });
} else {
  const app = uws.App();
  app.ws('/*', {
    upgrade(res, req, context) {
      const user = { device: deviceOf(`?${req.getQuery()}`), seq: 0 };
      const header = (name) => req.getHeader(`sec-websocket-${name}`);
      res.upgrade(user, header('key'), header('protocol'), header('extensions'), context);
    },
    open: (ws) => void ws.send(WELCOME),
    message(ws, message) {
      const user = ws.getUserData();
      write(user.device, Buffer.from(message));
      ws.send(ack(++user.seq));
    },
  });
  app.listen('127.0.0.1', 0, (socket) => process.send({ port: uws.us_socket_local_port(socket) }));
}
process.on('disconnect', () => process.exit());
