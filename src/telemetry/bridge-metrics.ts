import { Counter, Gauge, type Registry } from 'prom-client';

/** What the bridge from an MQTT broker counts: see src/ingest/mqtt. */
export interface BridgeFigures {
  state: string;
  unacknowledged: number;
  connects: number;
  sessionsLost: number;
  redelivered: number;
}

const STATES = ['up', 'connecting', 'away', 'refused', 'waiting', 'stopped'];

/** Adds the bridge's metrics; without a bridge all are 0. */
export function observeBridge(registry: Registry, read: () => BridgeFigures | null): void {
  const registers = [registry];
  void new Gauge({
    name: 'millrace_mqtt_bridge_state',
    help: '1 for the state that the bridge from the MQTT broker is in',
    labelNames: ['state'],
    registers,
    collect() {
      const now = read()?.state;
      for (const state of STATES) this.set({ state }, state === now ? 1 : 0);
    },
  });
  void new Gauge({
    name: 'millrace_mqtt_bridge_unacknowledged',
    help: 'Packets of the MQTT broker that wait for their acknowledgement',
    registers,
    collect() {
      this.set(read()?.unacknowledged ?? 0);
    },
  });
  for (const [name, help, of] of [
    ['connects', 'Times that the bridge subscribed at the MQTT broker', 'connects'],
    ['sessions_lost', 'Times that the broker had lost the session of the bridge', 'sessionsLost'],
    ['redelivered', 'Packets that the broker marked as sent before', 'redelivered'],
  ] as const) {
    void new Counter({
      name: `millrace_mqtt_bridge_${name}_total`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read()?.[of] ?? 0);
      },
    });
  }
}
