import { isDeviceId, isOutboxId, MillraceError, type Transport } from '../core/index.ts';

/** What a client may be judged by, whichever way it comes. */
export interface Caller {
  /** An HTTP header by its lower-case name. A transport without headers has none of them. */
  readonly header: (name: string) => string | undefined;
}

/** Throws the MillraceError by which a client is sent away. */
export type Authorize = (caller: Caller) => void;

/** Who a client says that it is, in the words of its transport: exactly one device, and at most one outbox, is right. */
export interface Introduction extends Caller {
  transport: Transport;
  devices: readonly string[];
  /** Only of transports that number their frames. */
  outboxes?: readonly string[];
}

/** Whose frames they are. */
export interface DeviceIdentity {
  device: string;
  /** The id of its outbox; null for a device that names none. */
  outboxId: string | null;
}

/** How a client of each transport names its device. */
const NAMING = {
  ws: 'add ?device=ID',
  http: 'send the header X-Device',
  mqtt: 'publish to millrace/v1/DEVICE/frames',
} satisfies Record<Transport, string>;

/**
 * Who somebody is. Throws what `authorize` throws, or `device_missing`, `device_invalid` or `outbox_invalid`.
 */
export function identify(who: Introduction, authorize: Authorize): DeviceIdentity {
  authorize(who);
  const [device = '', ...more] = who.devices;
  if (more.length > 0) throw new MillraceError('device_invalid', 'a connection is of one device');
  if (device === '') {
    throw new MillraceError('device_missing', `the connection names no device: ${NAMING[who.transport]}`);
  }
  checkDeviceId(device);
  const [outboxId = null, ...others] = who.outboxes ?? [];
  if (others.length > 0) throw new MillraceError('outbox_invalid', 'a connection is of one outbox');
  if (outboxId !== null && !isOutboxId(outboxId))
    throw new MillraceError('outbox_invalid', 'the outbox id has not the required form');
  return { device, outboxId };
}

/** Throws `device_invalid`. */
export function checkDeviceId(device: string): void {
  if (!isDeviceId(device)) {
    throw new MillraceError('device_invalid', 'the device id has not the required form');
  }
}
