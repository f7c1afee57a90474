import { z } from 'zod';
import { EDGE_KINDS, LIMITS } from '../core/index.ts';
import {
  bytes,
  duration,
  flag,
  instant,
  optional,
  processes,
  setting,
  text,
  wholeNumber,
  type ValueOf,
} from './setting.ts';
import { MQTT_SETTINGS } from './mqtt-settings.ts';
import {
  ALL_STORE_SETTINGS,
  STORE_KINDS,
  type StoreSettingKey,
  type StoreSettings,
} from './store-settings.ts';

/** Every setting. The key is its name in the YAML file and, behind two dashes, its flag. */
export const SETTINGS = {
  host: setting('MILLRACE_HOST', text, 'a host name or address', '127.0.0.1', 'address to listen on'),
  port: setting(
    'MILLRACE_PORT',
    wholeNumber(0, 65_535),
    'a whole number from 0 to 65535',
    8080,
    'port to listen on; 0 takes a free one',
  ),
  'data-dir': setting('MILLRACE_DATA_DIR', text, 'a folder', './data', 'folder for everything that is kept'),
  schemas: setting('MILLRACE_SCHEMAS', text, 'a folder', './schemas', 'folder of *.avsc registered at start'),
  store: setting(
    'MILLRACE_STORE',
    z.enum(STORE_KINDS),
    STORE_KINDS.join(' or '),
    'duckdb',
    'where points live',
  ),
  ...ALL_STORE_SETTINGS,
  ...MQTT_SETTINGS,
  journal: setting('MILLRACE_JOURNAL', z.enum(['local']), 'local', 'local', 'where frames are made durable'),
  'journal-max-bytes': setting(
    'MILLRACE_JOURNAL_MAX_BYTES',
    bytes(16 * 1024 ** 2),
    'a size of 16MiB or more, such as 4GiB',
    LIMITS.journalMaxBytes,
    'journal limit; at it acks are withheld',
  ),
  'journal-max-age': setting(
    'MILLRACE_JOURNAL_MAX_AGE',
    optional(duration(1_000)),
    'a duration of 1s or more, such as 24h',
    LIMITS.journalMaxAgeMs,
    'age of the oldest frame not stored; at it acks are withheld',
  ),
  'journal-on-limit': setting(
    'MILLRACE_JOURNAL_ON_LIMIT',
    z.enum(['refuse', 'expire-oldest']),
    'refuse or expire-oldest',
    'refuse',
    'at a journal limit: withhold acks, or give up the oldest frames',
  ),
  'dedupe-window': setting(
    'MILLRACE_DEDUPE_WINDOW',
    duration(0),
    'a duration such as 1h; 0s turns it off',
    LIMITS.dedupeWindowMs,
    'how long the same record by HTTP or MQTT is a duplicate',
  ),
  'dedupe-frames': setting(
    'MILLRACE_DEDUPE_FRAMES',
    wholeNumber(0, 10_000_000),
    'a whole number from 0 to 10000000',
    LIMITS.dedupeFrames,
    'how many records per device are remembered for that',
  ),
  'dead-letters-max': setting(
    'MILLRACE_DEAD_LETTERS_MAX',
    wholeNumber(1, 100_000_000),
    'a whole number from 1 to 100000000',
    LIMITS.maxDeadLetters,
    'how many dead letters are kept; the oldest go',
  ),
  'dead-letters-max-bytes': setting(
    'MILLRACE_DEAD_LETTERS_MAX_BYTES',
    bytes(1024 ** 2),
    'a size of 1MiB or more, such as 256MiB',
    LIMITS.maxDeadLetterBytes,
    'how many bytes of dead letters are kept',
  ),
  'dead-letters-max-age': setting(
    'MILLRACE_DEAD_LETTERS_MAX_AGE',
    duration(1_000),
    'a duration of 1s or more, such as 30d',
    LIMITS.maxDeadLetterAgeMs,
    'how long a dead letter is kept',
  ),
  'tail-retention': setting(
    'MILLRACE_TAIL_RETENTION',
    duration(0),
    'a duration such as 1h',
    LIMITS.tailRetentionMs,
    'how long stored frames stay for tails to resume',
  ),
  'tail-retention-bytes': setting(
    'MILLRACE_TAIL_RETENTION_BYTES',
    bytes(0),
    'a size such as 512MiB',
    LIMITS.tailRetentionBytes,
    'how many bytes of stored frames stay',
  ),
  auth: setting('MILLRACE_AUTH', z.enum(['off']), 'off', 'off', 'who may connect'),
  insecure: setting(
    'MILLRACE_INSECURE',
    flag,
    'true or false',
    false,
    'allow a host beyond loopback without auth',
  ),
  origins: setting(
    'MILLRACE_ORIGINS',
    z
      .string()
      .transform((list) =>
        list
          .split(',')
          .map((item) => item.trim())
          .filter((item) => item !== ''),
      )
      .refine((list) => list.every((item) => URL.canParse(item) && new URL(item).origin === item)),
    'origins separated by commas, such as https://page.example (each by name: there is no *)',
    [],
    'web origins that may connect besides our own',
  ),
  processes: setting(
    'MILLRACE_PROCESSES',
    processes,
    `a whole number from 1 to ${LIMITS.maxProcesses}, or auto`,
    1,
    'processes that take devices; auto is one for each core',
  ),
  edge: setting(
    'MILLRACE_EDGE',
    z.enum([...EDGE_KINDS, 'auto']),
    `${EDGE_KINDS.join(', ')} or auto`,
    'auto',
    'what serves HTTP and WebSockets: uWebSockets.js, or node:http with ws; auto is the first that loads',
  ),
  'max-frame-bytes': setting(
    'MILLRACE_MAX_FRAME_BYTES',
    wholeNumber(1_024, 16 * 1024 ** 2),
    'a whole number from 1024 to 16777216',
    LIMITS.maxFrameBytes,
    'largest frame',
  ),
  'max-time-ahead': setting(
    'MILLRACE_MAX_TIME_AHEAD',
    duration(0),
    'a duration such as 1d',
    LIMITS.maxTimeAheadMs,
    "how far ahead of the time of receipt a reading's time may lie",
  ),
  'min-time': setting(
    'MILLRACE_MIN_TIME',
    instant,
    'a date such as 2000-01-01, or RFC 3339, from 1970-01-01 on',
    LIMITS.minTimeMs,
    'the earliest time that a reading may have',
  ),
  'max-unacked': setting(
    'MILLRACE_MAX_UNACKED',
    wholeNumber(1, 1_000_000),
    'a whole number from 1 to 1000000',
    LIMITS.maxUnacked,
    'frames in flight per connection',
  ),
  'max-unacked-bytes': setting(
    'MILLRACE_MAX_UNACKED_BYTES',
    bytes(1_024),
    'a size of 1KiB or more',
    LIMITS.maxUnackedBytes,
    'bytes in flight per connection',
  ),
  'max-connections': setting(
    'MILLRACE_MAX_CONNECTIONS',
    wholeNumber(1, 1_000_000),
    'a whole number from 1 to 1000000',
    LIMITS.maxConnections,
    'device connections at once',
  ),
  'max-devices': setting(
    'MILLRACE_MAX_DEVICES',
    wholeNumber(1, 100_000_000),
    'a whole number from 1 to 100000000',
    LIMITS.maxDevices,
    'devices whose numbers are remembered; further names are turned away',
  ),
  'query-timeout': setting(
    'MILLRACE_QUERY_TIMEOUT',
    duration(100),
    'a duration of 100ms or more, such as 30s',
    LIMITS.queryTimeoutMs,
    'longest query',
  ),
  'log-level': setting(
    'MILLRACE_LOG_LEVEL',
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    'trace, debug, info, warn, error, fatal or silent',
    'info',
    'how much to log',
  ),
};

export type SettingKey = keyof typeof SETTINGS;
/** All settings, checked. Those of the store that is chosen are there. */
export type Settings = {
  readonly [Key in Exclude<SettingKey, keyof StoreSettings | StoreSettingKey>]: ValueOf<
    (typeof SETTINGS)[Key]
  >;
} & StoreSettings;
