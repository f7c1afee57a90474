/**
 * The least that hands one device's messages to many: a uWebSockets.js server of its own process that publishes a text for
 * each message it gets. Started by fork(); the text's rows come as its JSON argument. Tells its port, and its CPU seconds
 * when it is told to end.
 */
import * as uws from 'uWebSockets.js';

const { rows } = JSON.parse(process.argv[2]);
const app = uws.App();
let n = 0;
app.ws('/tail', { open: (socket) => void socket.subscribe('rows') });
app.ws('/ingest', {
  maxPayloadLength: 1 << 20,
  message() {
    const atTime = rows.replace('TIME', new Date().toISOString());
    app.publish('rows', `{"type":"data","id":"0","n":${++n},"cursor":"0","rows":[${atTime}]}`);
  },
});
app.listen('127.0.0.1', 0, (listening) => {
  process.send({ port: uws.us_socket_local_port(listening) });
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send({ cpuS: (user + system) / 1e6 });
    process.disconnect();
    process.exit();
  });
});
