import { printable } from './printable.ts';

const SHARE = /^\$share\/[^/+#]+\//;

/**
 * The topics on which frames come over MQTT: levels that are always the same, and one that names the device. It is
 * written as a topic filter with `+` in the device's place, behind `$share/GROUP/` where several share the load.
 */
export class FrameTopic {
  /** What a broker is asked for. */
  readonly filter: string;
  readonly shared: boolean;
  readonly #before: string;
  readonly #after: string;

  constructor(filter: string) {
    this.filter = filter;
    this.shared = SHARE.test(filter);
    const topic = filter.replace(SHARE, '');
    const at = topic.indexOf('+');
    this.#before = topic.slice(0, at);
    this.#after = topic.slice(at + 1);
  }

  /** The level in the device's place, which may be no device id; null for any other topic. */
  deviceOf(topic: string): string | null {
    if (!topic.startsWith(this.#before) || !topic.endsWith(this.#after)) return null;
    const device = topic.slice(this.#before.length, topic.length - this.#after.length);
    return topic.length < this.#before.length + this.#after.length || device.includes('/') ? null : device;
  }
}

/** Whether a topic filter names a device, and nothing else that varies. */
export function isFrameTopicFilter(filter: string): boolean {
  const levels = filter.replace(SHARE, '').split('/');
  const named = levels.filter((level) => level === '+').length === 1;
  const plain = levels.every((level) => level === '+' || !/[+#]/.test(level));
  return named && plain && !filter.startsWith('$share/+') && printable(filter) === filter;
}

/** Where devices publish their frames. */
export const DEVICE_TOPIC_FILTER = 'millrace/v1/+/frames';
/** What the bridge asks a broker for: one of several gateways gets each frame. */
export const BRIDGE_TOPIC_FILTER = `$share/millrace/${DEVICE_TOPIC_FILTER}`;
