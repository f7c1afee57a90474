import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { parser, writeToStream, type IConnectPacket, type Packet } from 'mqtt-packet';

/** What a broker answers that behaves as Mosquitto cannot be made to; null closes the connection without a word. */
export interface BrokerBehaviour {
  connect(packet: IConnectPacket): Packet | null;
  /** Granted QoS, or the code of a refusal. */
  subscribe?: number;
}

/** A broker that answers CONNECT and SUBSCRIBE, and nothing else. */
export async function startSmallBroker(behaviour: BrokerBehaviour): Promise<{ url: string; stop(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let version = 4;
    const incoming = parser({});
    const answer = (packet: Packet | null): void => {
      if (packet === null) socket.end();
      else writeToStream(packet, socket, { protocolVersion: version });
    };
    incoming.on('packet', (packet) => {
      if (packet.cmd === 'connect') {
        version = packet.protocolVersion ?? 4;
        answer(behaviour.connect(packet));
      } else if (packet.cmd === 'subscribe') {
        const granted = [behaviour.subscribe ?? 1];
        answer({ cmd: 'suback', messageId: packet.messageId ?? 0, granted });
      }
    });
    socket.on('data', (bytes) => incoming.parse(bytes));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
