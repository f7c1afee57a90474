/**
 * Every error that leaves the process has a stable code from this table. Programs match on the code,
 * never on the message. `status` answers HTTP, `close` closes a WebSocket, `retry` says whether the same
 * thing may work later, `help` tells a person what to do. docs/errors.md is generated from here.
 */
export interface ErrorRow {
  status: number;
  retry: boolean;
  help: string;
  /** WebSocket close code, where the error ends a connection. */
  close?: number;
}

const row = (status: number, help: string, extra: { retry?: boolean; close?: number } = {}): ErrorRow => ({
  status,
  help,
  retry: extra.retry ?? false,
  ...(extra.close === undefined ? {} : { close: extra.close }),
});

/** Errors of one frame: it is refused and kept as a dead letter. */
const FRAME_ERRORS = {
  frame_empty: row(400, 'Send one Avro frame per message; this message had no bytes.'),
  frame_framing: row(400, 'Start the frame with C3 01 (single-object) or 00 (Confluent framing).'),
  frame_too_large: row(413, 'Split the frame: it is over the limit that the welcome states.', {
    close: 4509,
  }),
  frame_truncated: row(400, "The bytes end inside the record. Check the writer's schema and the length."),
  frame_trailing: row(400, "Bytes are left over after the record. Check the writer's schema."),
  frame_varint: row(400, 'A varint is overlong or out of range. Encode numbers in their shortest form.'),
  frame_block: row(400, 'An array block has an impossible count or byte size.'),
  frame_utf8: row(400, 'A string is not valid UTF-8.'),
  frame_index: row(400, 'A union branch, enum index or boolean is outside its range.'),
  frame_too_many_readings: row(400, 'Send fewer readings per frame.'),
  frame_too_heavy: row(
    400,
    "Send fewer readings per frame, or shorter strings: the frame's own are stored with each of its readings.",
  ),
  value_not_finite: row(400, 'A number is infinite. Send NaN or null for a missing value.'),
  value_unusable: row(400, 'The value has no faithful form in the store; the message says why.'),
  time_out_of_range: row(400, "Correct the device's clock, or the unit of its times; see the limits."),
  time_missing: row(400, 'Give each reading a time, or the frame; or send one reading per frame.'),
  device_mismatch: row(400, "The payload's device must equal the connection's device, or be left out."),
  schema_unknown: row(400, "Register the writer's schema, then send again or replay the dead letter."),
} satisfies Record<string, ErrorRow>;

export const ERRORS = {
  ...FRAME_ERRORS,
  // registration
  schema_invalid: row(422, 'The schema is not valid Avro; the message says where.'),
  schema_unmappable: row(422, 'The schema has no form as time series; the message names the field and why.'),
  schema_conflict: row(
    422,
    'Give the measurement or the field another name: the old one has another meaning.',
  ),
  registry_full: row(507, 'The registry holds as many schemas as it may; reuse subjects and schemas.'),
  // connections
  device_missing: row(400, 'Name the device: with ?device=ID, or by HTTP with the header X-Device.'),
  device_invalid: row(400, 'Device ids match [A-Za-z0-9][A-Za-z0-9._:-]{0,127}.'),
  outbox_invalid: row(400, 'Outbox ids match [A-Za-z0-9_-]{16,64}.'),
  protocol_error: row(400, 'A text message was no known control message.', { close: 4510 }),
  window_exceeded: row(429, 'Wait for acks: more is in flight than the welcome allows.', {
    retry: true,
    close: 4013,
  }),
  replaced: row(409, 'A newer connection of the same device took over.', { close: 4508 }),
  origin_forbidden: row(403, 'Add the page’s origin to MILLRACE_ORIGINS.', { close: 4503 }),
  too_many_connections: row(503, 'Try again later, or raise the connection limit.', { retry: true }),
  too_many_devices: row(
    503,
    'Raise max-devices, or give the device a name that was here before: numbers of devices are never forgotten.',
    { retry: true },
  ),
  journal_full: row(503, 'The journal is at its limit: bring the store back or raise the limit.', {
    retry: true,
  }),
  journal_failed: row(503, 'The journal cannot be written: see /readyz and the log.', { retry: true }),
  journal_corrupt: row(
    500,
    'Keep the data folder as it is; the message says which positions cannot be read.',
  ),
  too_many_frames: row(503, 'More frames wait for the disk than may: send them again in a moment.', {
    retry: true,
  }),
  clock_wrong: row(503, "Correct the server's clock: it is behind. Frames are taken then.", { retry: true }),
  draining: row(503, 'The server is stopping; connect again in a moment.', { retry: true, close: 1012 }),
  slow_consumer: row(503, 'Read faster, or ask for fewer rows.', { retry: true, close: 4014 }),
  too_many_messages: row(429, 'Send fewer messages and pings, and read what the server answers.', {
    retry: true,
    close: 4015,
  }),
  too_many_requests: row(429, 'Read each answer before you send many more requests on a connection.', {
    retry: true,
  }),
  too_much_unread: row(
    503,
    'Read faster: of all readers this one had left most unread when together they reached the limit.',
    { retry: true, close: 4014 },
  ),
  // reads
  parameter_missing: row(400, 'Add the parameter that the message names.'),
  parameter_unknown: row(400, 'Remove the parameter; the message lists the known ones.'),
  parameter_invalid: row(400, 'Correct the value; the message says what is expected.'),
  cursor_invalid: row(400, 'Use a cursor exactly as it was given, with the same parameters.'),
  cursor_expired: row(410, 'The position is no longer retained: query the history, then tail from now.'),
  field_unknown: row(400, 'See /v1/measurements for the fields.'),
  function_unsuitable: row(400, 'The function does not apply to a field of this type.'),
  measurement_unknown: row(404, 'See /v1/measurements for the names.'),
  device_unknown: row(404, 'No frame of this device has been stored.'),
  dead_letter_unknown: row(404, 'List the dead letters: it expired, or was replayed.'),
  route_unknown: row(404, 'GET /openapi.json lists the routes.'),
  upgrade_required: row(426, 'Connect with a WebSocket.'),
  method_not_allowed: row(405, 'Use a method that the Allow header names.'),
  not_acceptable: row(406, 'Ask for one of the forms that the message lists.'),
  content_type_unsupported: row(415, 'Send the body in a content type that the message names.'),
  content_encoding_unsupported: row(
    415,
    'Send the body in a Content-Encoding that the message names, or in none.',
  ),
  query_too_long: row(414, 'Send the parameters in a message: a query by POST, a tail over WebSocket.'),
  body_too_large: row(413, 'Send a smaller body.'),
  body_late: row(408, 'Send the body at once, or a smaller one.', { retry: true }),
  too_many_bodies: row(503, 'Try again in a moment: the bodies under way are as large as may be.', {
    retry: true,
  }),
  request_malformed: row(
    400,
    'Send requests of HTTP/1.1 or 1.0; the message says what is wrong with this one.',
  ),
  head_too_large: row(431, 'Send a shorter URL and fewer headers, or the parameters in a body by POST.'),
  head_late: row(408, 'Send the whole request at once.', { retry: true }),
  header_invalid: row(400, 'Correct the header that the message names, or leave it out.'),
  header_repeated: row(400, 'Send the header that the message names once.'),
  body_invalid: row(400, 'The body is not what this route takes; the message says why.'),
  too_many_subscriptions: row(429, 'Unsubscribe first, or open another connection.'),
  store_unavailable: row(503, 'The store is away; data is kept in the journal. Try again later.', {
    retry: true,
  }),
  query_timeout: row(503, 'Ask for less: a shorter range, fewer fields, a larger "every".', { retry: true }),
  answer_too_large: row(400, 'Ask for less: name fewer fields or devices.'),
  too_many_replays: row(503, 'Wait for the replays that are under way, and try again.', { retry: true }),
  too_many_queries: row(503, 'Try again in a moment.', { retry: true }),
  // starting
  config_invalid: row(500, 'Correct the setting that the message names.'),
  data_dir_gone: row(503, 'Put the data folder back as it was; a copy is taken up by a restart only.', {
    retry: true,
  }),
  data_dir_in_use: row(500, 'Stop the other process, or give this one its own MILLRACE_DATA_DIR.'),
  data_dir_unwritable: row(500, 'Make the data folder writable for this user.'),
  data_dir_version: row(500, 'The data was written by a newer version: install that one.'),
  output_unwritable: row(500, 'Choose another file with --out, or make room for it.'),
  edge_unavailable: row(
    500,
    'Use --edge node (or auto), or install a build of uWebSockets.js for this machine: see docs/operations.md.',
  ),
  port_in_use: row(500, 'Choose another MILLRACE_PORT (0 takes a free one), or stop the other program.'),
  listen_failed: row(
    500,
    'Give MILLRACE_HOST an address of this machine, and a port that this user may open.',
  ),
  store_refused: row(500, 'The store refused the point; the message gives its reason.'),
  internal: row(500, 'This is a defect: please report it with the log around this time.', { retry: true }),
} satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** The codes with which frames are refused; besides them only `internal` does, for a defect. */
export const FRAME_CODES = Object.keys(FRAME_ERRORS) as readonly (keyof typeof FRAME_ERRORS)[];

/** The codes with which connections are ended for what their clients do. */
export const CLOSING_CODES = [
  'protocol_error',
  'window_exceeded',
  'frame_too_large',
  'slow_consumer',
  'too_many_connections',
  'too_many_messages',
  'too_many_requests',
  'too_much_unread',
] as const satisfies readonly ErrorCode[];

/** Whether a text from elsewhere is a code of the table. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

const REFUSALS: ReadonlySet<string> = new Set(FRAME_CODES);

/**
 * So many lines does the stack of such an error have: the refusal of a frame is an answer, which may be made hundreds of
 * thousands of times a second, and nobody asks where in the code it was made.
 */
const stackLines = (code: ErrorCode): number => (REFUSALS.has(code) ? 0 : 10);

/** An error with a stable code. `path` names the field inside a frame or schema, where there is one. */
export class MillraceError extends Error {
  readonly code: ErrorCode;
  readonly path: string | undefined;

  constructor(code: ErrorCode, message: string, options: { path?: string; cause?: unknown } = {}) {
    const before = Error.stackTraceLimit;
    Error.stackTraceLimit = Math.min(before, stackLines(code));
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    Error.stackTraceLimit = before;
    this.name = 'MillraceError';
    this.code = code;
    this.path = options.path;
  }

  get row(): ErrorRow {
    return ERRORS[this.code];
  }
}

/** The message of anything thrown; not by `instanceof`, since errors may come from another realm or thread. */
export function messageOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return String(error);
}

/** The `code` of a system error such as ENOENT; null where there is none. */
export function systemCodeOf(error: unknown): string | null {
  const coded = typeof error === 'object' && error !== null && 'code' in error;
  return coded && typeof error.code === 'string' ? error.code : null;
}
