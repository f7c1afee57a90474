/** Connections over bare TCP that send what was made beforehand, so that sending costs next to nothing. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { upgradeRequest } from '../../../bench/wire.mjs';

const CHUNK_BYTES = 64 * 1024;
/** One whose connection was ended comes back after this time, as programs with a fault do. */
const COME_BACK_MS = 250;
const OPCODES = { text: 0x1, binary: 0x2, ping: 0x9 };

/** A WebSocket message as a client sends it. */
export function message(kind, payload) {
  const bytes = Buffer.from(payload);
  const key = randomBytes(4);
  const head = bytes.length < 126 ? Buffer.alloc(2) : Buffer.alloc(4);
  head[0] = 0x80 | OPCODES[kind];
  head[1] = 0x80 | (bytes.length < 126 ? bytes.length : 126);
  if (bytes.length >= 126) head.writeUInt16BE(bytes.length, 2);
  return Buffer.concat([head, key, bytes.map((byte, i) => byte ^ key[i & 3])]);
}

/** The request that opens a WebSocket at `path`. */
export const opening = (path, { port }) => Buffer.from(upgradeRequest(path, port));

/** Counts an event under a name. */
export function tally(counts, name, by = 1) {
  counts[name] = (counts[name] ?? 0) + by;
}

/**
 * One offender's connection, which is opened again whenever it ends. `head` goes out first; `begin(socket)` is called
 * when it is connected, or with `upgrade` when the server has answered the head. It may return what takes all bytes
 * that come; without that, nothing is read from there on. `stop` cuts it.
 */
export class Connection {
  #options;
  #context;
  #socket = null;
  #timer = null;
  #stopped = false;

  constructor(context, options) {
    this.#context = context;
    this.#options = options;
    this.#open();
  }

  #open() {
    const { head = null, upgrade = false, begin, comeBackMs = COME_BACK_MS } = this.#options;
    const { port, counts } = this.#context;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket = socket;
    let begun = false;
    let onBytes = null;
    const start = (rest) => {
      begun = true;
      onBytes = begin(socket, this) ?? null;
      if (onBytes === null) socket.pause();
      else if (rest.length > 0) onBytes(rest);
    };
    socket.on('connect', () => {
      tally(counts, 'opened');
      if (head !== null) socket.write(head);
      if (!upgrade) start(Buffer.alloc(0));
    });
    socket.on('data', (bytes) => {
      if (begun) return void onBytes?.(bytes);
      const text = bytes.toString('latin1');
      const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 'none';
      if (status === '101') return start(bytes.subarray(text.indexOf('\r\n\r\n') + 4));
      tally(counts, `status ${status}`);
      socket.destroy();
    });
    socket.on('error', (error) => tally(counts, error.code ?? 'error'));
    socket.on('close', () => {
      if (this.#stopped) return;
      tally(counts, 'ended');
      this.#timer = setTimeout(() => this.#open(), comeBackMs);
    });
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#socket?.resetAndDestroy();
  }
}

/**
 * Sends messages over and over on a connection, as fast as it takes them; with `perS`, so many a second; with the
 * context's `limit`, so many in all.
 */
export function pour(socket, context, messages, perS) {
  const { counts } = context;
  const state = { at: 0 };
  const left = () => (context.limit === undefined ? Infinity : context.limit - (counts.sent ?? 0));
  if (perS !== undefined) {
    const timer = setInterval(
      () => {
        if (socket.destroyed || left() <= 0) return clearInterval(timer);
        if (socket.writableNeedDrain) return;
        for (let n = Math.max(1, Math.round(perS / 100)); n > 0; n--) {
          socket.write(messages[state.at++ % messages.length]);
          tally(counts, 'sent');
        }
      },
      Math.max(10, 1_000 / perS),
    );
    return;
  }
  const bytes = messages.reduce((sum, { length }) => sum + length, 0);
  const times = Math.max(1, Math.round(CHUNK_BYTES / bytes));
  const chunk = Buffer.concat(Array.from({ length: times }, () => messages).flat());
  const next = () => {
    // Breathes between two rounds, so that what comes in is heard, too.
    for (let n = 0; n < 8; n++) {
      if (socket.destroyed || left() <= 0) return;
      tally(counts, 'sent', times * messages.length);
      if (!socket.write(chunk)) return;
    }
    setImmediate(next);
  };
  socket.on('drain', next);
  next();
}

/** Connections that are all stopped together. */
export function connections(count, make) {
  const all = Array.from({ length: count }, (_, n) => make(n));
  return { stop: () => all.forEach((connection) => connection.stop()) };
}

/** Tail connections that send these messages again and again, and read none of the answers; `perS` in all when slow. */
export function pouringTails(context, count, messages, perS) {
  const each = context.slow ? (perS * context.share) / count : undefined;
  return connections(
    count,
    () =>
      new Connection(context, {
        head: opening('/v1/tail', context),
        upgrade: true,
        begin: (socket) => pour(socket, context, messages, each),
      }),
  );
}
