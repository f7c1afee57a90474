import { z } from 'zod';
import { BRIDGE_TOPIC_FILTER, isFrameTopicFilter } from '../core/index.ts';
import { optional, setting, text } from './setting.ts';

const PROTOCOLS: readonly string[] = ['mqtt:', 'mqtts:', 'ws:', 'wss:'];

/** With its user and password: they are what the broker asks for. */
const brokerUrl = z
  .string()
  .refine(
    (url) => URL.canParse(url) && PROTOCOLS.includes(new URL(url).protocol) && new URL(url).host !== '',
  );

/** The protocol's versions as they are called, and as a CONNECT packet numbers them. */
export const MQTT_VERSIONS = { '5': 5, '3.1.1': 4 } as const;

/** Those of the bridge from a broker. */
export const MQTT_SETTINGS = {
  'mqtt-url': setting(
    'MQTT_URL',
    optional(brokerUrl),
    'a URL that begins with mqtt://, mqtts://, ws:// or wss://',
    null,
    'broker whose frames are taken; a user and password in it are better kept out of a flag',
    'user',
  ),
  'mqtt-topic': setting(
    'MQTT_TOPIC',
    z.string().refine(isFrameTopicFilter),
    'a topic filter with + for the device and no other wildcard, behind $share/GROUP/ or not',
    BRIDGE_TOPIC_FILTER,
    'where frames come on that broker',
  ),
  'mqtt-version': setting(
    'MQTT_VERSION',
    z.enum(['auto', '5', '3.1.1']),
    'auto, 5 or 3.1.1',
    'auto',
    'protocol to speak with it; auto tries 5 first',
  ),
  'mqtt-client-id': setting(
    'MQTT_CLIENT_ID',
    optional(text),
    'a text',
    null,
    'name of the session on it; when left out, one that stays with the data folder',
  ),
  'mqtt-ca': setting(
    'MQTT_CA',
    optional(text),
    'a file',
    null,
    'PEM file of the authorities that its certificate may come from',
  ),
  'mqtt-cert': setting('MQTT_CERT', optional(text), 'a file', null, 'PEM file of our own certificate for it'),
  'mqtt-key': setting('MQTT_KEY', optional(text), 'a file', null, 'PEM file of that certificate’s key'),
};
