import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import type { MillraceError } from '../../src/core/index.ts';
import type { HttpAnswer, NetServer } from '../../src/net/index.ts';
import { EDGES, openTestEdge } from '../fixtures/edge.ts';

const MIB = 1024 ** 2;
const ANSWER_BYTES = 30 * MIB;
/** Slow for longer than any timeout of the edge, at a rate at which it takes long to empty a third of the kernel's buffer. */
const SLOW_BYTES = 0.75 * MIB;
const PART_BYTES = 4 * 1024;
const PART_MS = 80;

let net: NetServer | null = null;
afterEach(() => net?.close());

const line = Buffer.from('a,line,of,an,answer\r\n');
const whole = Buffer.alloc(ANSWER_BYTES, line);

async function* streamed(): AsyncGenerator<Buffer> {
  for (let at = 0; at < whole.length; at += 300_000) yield whole.subarray(at, at + 300_000);
}

/** Reads an answer slowly at first, and then as it comes. Resolves with its body's bytes. */
async function readSlowly(port: number, path: string): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const parts: Buffer[] = [];
  let read = 0;
  for await (const part of socket as AsyncIterable<Buffer>) {
    parts.push(part);
    read += part.length;
    // The pace is what is tested: nothing else makes a reader slow.
    if (read < SLOW_BYTES) await pause((part.length / PART_BYTES) * PART_MS);
  }
  const bytes = Buffer.concat(parts);
  const head = bytes.subarray(0, bytes.indexOf('\r\n\r\n') + 4);
  const body = bytes.subarray(head.length);
  return head.toString().toLowerCase().includes('chunked') ? dechunked(body) : body;
}

function dechunked(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const end = body.indexOf('\r\n', at);
    const size = parseInt(body.subarray(at, Math.max(at, end)).toString(), 16);
    if (size === 0) return Buffer.concat(parts);
    if (!(size > 0)) throw new Error(`the answer was cut after ${at} bytes`);
    parts.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

test.each(EDGES)(
  'on %s a reader that is slow and steady gets all of an answer, whole or streamed',
  async (edge) => {
    const ended: MillraceError[] = [];
    net = await openTestEdge(() => {}, { edge, onEnded: (error) => ended.push(error) });
    net.http(async ({ path }): Promise<HttpAnswer> => {
      return { status: 200, headers: {}, body: path === '/streamed' ? streamed() : whole };
    });
    const port = await net.listen('127.0.0.1', 0);
    const [first, second] = await Promise.all([readSlowly(port, '/streamed'), readSlowly(port, '/whole')]);
    expect(ended).toEqual([]);
    expect(first.equals(whole)).toBe(true);
    expect(second.equals(whole)).toBe(true);
    expect(net.held().unread.bytes).toBe(0);
  },
  60_000,
);
