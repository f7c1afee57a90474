import { openHttpSenders } from './http-sender.ts';
import type { SenderContext, Senders } from './sender.ts';
import { openWsSenders } from './ws-sender.ts';

/** How devices send, by transport. */
export const SENDERS = {
  ws: openWsSenders,
  http: openHttpSenders,
} satisfies Record<string, (context: SenderContext) => Senders>;

export type FleetTransport = keyof typeof SENDERS;
export const FLEET_TRANSPORTS = Object.keys(SENDERS) as readonly FleetTransport[];
