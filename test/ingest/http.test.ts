import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { encodeSingleObjectHeader, fingerprintOf } from '../../src/codec/index.ts';
import { EDGES } from '../fixtures/edge.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { until } from '../fixtures/until.ts';
import { MAX_FRAME_BYTES, PostedTo } from './posting.ts';

let time = 1_000_000_000_000;
/** A frame of two readings that no other has. */
const frame = (): Buffer => environmentFrame([{ time: (time += 2) }, { time: time + 1 }]);
const ONE = { accepted: 1, duplicates: 0, rejected: [] };
const KNOWN = { accepted: 0, duplicates: 1, rejected: [] };
/** A frame of Zstandard that says its size, 100,000 bytes, and is a block that repeats one byte (RFC 8878, 3.1.1). */
const ZEROS_ZSTD = Buffer.from('28b52ffda0a086010003350c00', 'hex');
/** The same without saying it, and with a window of more bytes than any memory has. */
const VAST_ZSTD = Buffer.from('28b52ffd00f803350c00', 'hex');

describe.each(EDGES)('frames by HTTP, on %s', (edge) => {
  let to: PostedTo;

  beforeAll(async () => {
    to = await PostedTo.open(edge);
  });
  afterAll(async () => {
    await to.close();
    expect(to.errors).toEqual([]);
  });

  test('a frame is answered when it is on disk, and counted when it comes again in either framing', async () => {
    const bytes = frame();
    const head = to.journal.head();
    expect(await to.post(bytes)).toMatchObject({ status: 200, json: ONE });
    expect(to.journal.head()).toBe(head + 1);
    const { schema } = to.registry.resolve(bytes, 0, bytes.length);
    const confluent = Buffer.from([0, 0, 0, 0, schema.id, ...bytes.subarray(10)]);
    expect(await to.post(confluent)).toMatchObject({ status: 200, json: KNOWN });
    expect(to.journal.head()).toBe(head + 1);
  });

  test('a frame that is refused is answered with 422 and its code, and kept as a dead letter', async () => {
    const bytes = environmentFrame([{ time: (time += 2) }, { time, temperature: Infinity }]);
    const { status, json, headers } = await to.post(bytes);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(json).toMatchObject({ status, code: 'value_not_finite', accepted: 0, duplicates: 0 });
    expect(json['rejected']).toMatchObject([{ index: 0, code: 'value_not_finite' }]);
    expect(status).toBe(422);
    const [letter] = to.journal.deadLetters(1);
    expect(letter).toMatchObject({ device: 'a', transport: 'http', code: 'value_not_finite', readings: 2 });
    expect(await to.post(Buffer.alloc(0))).toMatchObject({ status: 422, json: { code: 'frame_empty' } });
    expect(await to.post('{}')).toMatchObject({ status: 422, json: { code: 'frame_framing' } });
  });

  test('the device is named by a header or in the URL, once', async () => {
    const bytes = frame();
    expect(await to.post(bytes, { 'X-Device': 'b' })).toMatchObject({ json: ONE });
    expect(await to.post(bytes, {}, '?device=b')).toMatchObject({ json: KNOWN });
    expect(await to.post(bytes, { 'X-Device': 'b' }, '?device=b')).toMatchObject({ json: KNOWN });
    const code = async (query: string, headers = {}): Promise<unknown> => {
      const { status, json } = await to.post(bytes, headers, query);
      return [status, json['code']];
    };
    expect(await code('?device=b', { 'X-Device': 'c' })).toEqual([400, 'device_invalid']);
    expect(await code('?')).toEqual([400, 'device_missing']);
    expect(await code('?device=b&device=c')).toEqual([400, 'parameter_invalid']);
    expect(await code('?device=no%20id')).toEqual([400, 'device_invalid']);
    expect(await code('?devise=b')).toEqual([400, 'parameter_unknown']);
    const named = environmentFrame([{ time: (time += 2) }], 'another');
    expect(await to.post(named)).toMatchObject({ status: 422, json: { code: 'device_mismatch' } });
  });

  test('another method or content type is refused, and the answer says what is right', async () => {
    const other = await to.post(frame(), { 'Content-Type': 'text/plain' });
    expect(other).toMatchObject({ status: 415, json: { code: 'content_type_unsupported' } });
    expect(other.json['detail']).toContain('avro/binary');
    const get = await fetch(`http://127.0.0.1:${to.port}/v1/frames`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
    expect(await to.post(frame(), { 'Content-Type': 'Avro/Binary; charset=x' })).toMatchObject({ json: ONE });
  });

  test('a body over the limit is refused, announced or not', async () => {
    const large = Buffer.alloc(MAX_FRAME_BYTES + 1);
    expect(await to.post(large)).toMatchObject({ status: 413, json: { code: 'body_too_large' } });
    const stream = new Blob([large]).stream();
    expect(await to.post(stream)).toMatchObject({ status: 413, json: { code: 'body_too_large' } });
  });

  test.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
  ])('a body may come as %s', async (coding, pack) => {
    const bytes = frame();
    const packed = { 'Content-Encoding': coding };
    expect(await to.post(pack(bytes), packed)).toMatchObject({ status: 200, json: ONE });
    expect(await to.post(bytes)).toMatchObject({ json: KNOWN });
    const bomb = pack(Buffer.alloc(2 ** 20));
    expect(bomb.length).toBeLessThan(MAX_FRAME_BYTES);
    expect(await to.post(bomb, packed)).toMatchObject({
      status: 413,
      json: { code: 'body_too_large' },
    });
    const damaged = pack(bytes).subarray(0, 20);
    expect(await to.post(damaged, packed)).toMatchObject({ status: 400, json: { code: 'body_invalid' } });
  });

  test('a body that comes as zstd is bounded in what it unpacks to', async () => {
    const packed = { 'Content-Encoding': 'zstd' };
    expect(await to.post(ZEROS_ZSTD, packed)).toMatchObject({
      status: 413,
      json: { code: 'body_too_large' },
    });
    for (const damaged of [VAST_ZSTD, ZEROS_ZSTD.subarray(0, 11), Buffer.from('28b52ffd', 'hex')]) {
      const { status, json } = await to.post(damaged, packed);
      expect([400, 413]).toContain(status);
      expect(['body_invalid', 'body_too_large']).toContain(json['code']);
    }
    const raw = frame();
    // A frame of one raw block: what a compressor makes of bytes that do not compress.
    const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, raw.length]);
    const block = (raw.length << 3) | 1;
    const zstd = Buffer.concat([header, Buffer.from([block & 255, (block >> 8) & 255, block >> 16]), raw]);
    expect(await to.post(zstd, packed)).toMatchObject({ status: 200, json: ONE });
  });

  test('a coding that nobody knows, or several, are refused with what is taken', async () => {
    for (const coding of ['br', 'gzip, gzip']) {
      const { status, json, headers } = await to.post(frame(), { 'Content-Encoding': coding });
      expect([status, json['code']]).toEqual([415, 'content_encoding_unsupported']);
      expect(headers.get('accept-encoding')).toBe('gzip, deflate, zstd');
    }
  });

  test('a client that waits for 100 Continue gets its answer', async () => {
    const bytes = frame();
    const asked = request({
      port: to.port,
      path: '/v1/frames',
      method: 'POST',
      headers: {
        'Content-Type': 'avro/binary',
        'X-Device': 'a',
        'Content-Length': bytes.length,
        Expect: '100-continue',
      },
    });
    asked.flushHeaders();
    await once(asked, 'continue');
    asked.end(bytes);
    const [response] = (await once(asked, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
    expect(response.statusCode).toBe(200);
    response.resume();
  });

  test('requests that follow each other on one connection are answered in their order', async () => {
    const socket = connect(to.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (part: string) => (text += part));
    const bytes = frame();
    for (let n = 1; n <= 3; n++) {
      socket.write(
        `POST /v1/frames HTTP/1.1\r\nHost: localhost\r\nX-Device: a\r\nContent-Type: avro/binary\r\n` +
          `Content-Length: ${bytes.length}\r\n\r\n`,
      );
      socket.write(bytes);
      await until('an answer', () => text.split('"accepted"').length - 1 === n);
    }
    socket.destroy();
    expect([...text.matchAll(/"accepted":(\d),"duplicates":(\d)/g)].map(([, a, d]) => [a, d])).toEqual([
      ['1', '0'],
      ['0', '1'],
      ['0', '1'],
    ]);
  });

  test('pages of allowed origins may send, and learn what became of it', async () => {
    const origin = { Origin: 'http://page.test' };
    const { headers } = await to.post(frame(), origin);
    expect(headers.get('access-control-allow-origin')).toBe('http://page.test');
    const asked = await fetch(`http://127.0.0.1:${to.port}/v1/frames`, {
      method: 'OPTIONS',
      headers: { ...origin, 'Access-Control-Request-Method': 'POST' },
    });
    expect([asked.status, asked.headers.get('access-control-allow-methods')]).toEqual([204, 'POST']);
    expect(asked.headers.get('access-control-allow-headers')).toContain('X-Device');
  });

  test('a record without a time is a duplicate when the request comes again under its name', async () => {
    const text = JSON.stringify({ type: 'record', name: 'Timeless', fields: [{ name: 'x', type: 'int' }] });
    await to.registry.register('timeless', text);
    const bytes = Buffer.concat([encodeSingleObjectHeader(fingerprintOf(text)), Buffer.from([2])]);
    expect(await to.post(bytes)).toMatchObject({ json: ONE });
    expect(await to.post(bytes)).toMatchObject({ json: ONE });
    const named = { 'Idempotency-Key': '"8e03978e-40d5-43dd-bc93-6894a57f9324"' };
    expect(await to.post(bytes, named)).toMatchObject({ json: ONE });
    expect(await to.post(bytes, named)).toMatchObject({ json: KNOWN });
    expect(await to.post(bytes, { ...named, 'X-Device': 'b' })).toMatchObject({ json: ONE });
    expect(await to.post(bytes, { 'Idempotency-Key': 'ä' })).toMatchObject({
      status: 400,
      json: { code: 'header_invalid' },
    });
  });

  test('a server that stops says so, and when to come again', async () => {
    to.hub.admission.stop();
    const { status, json, headers } = await to.post(frame());
    expect([status, json['code'], headers.get('retry-after')]).toEqual([503, 'draining', '1']);
  });
});
