import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import avsc from 'avsc';
import { encodeSingleObjectHeader, fingerprintOf } from '../../src/codec/index.ts';
import { KeepingGateway } from '../devices/keeping-gateway.ts';
import { until } from '../fixtures/until.ts';

const document = readFileSync('docs/protocol.md', 'utf8');
const environment = avsc.Type.forSchema(
  JSON.parse(readFileSync('schemas/environment.avsc', 'utf8')) as avsc.Schema,
);

interface Numbered {
  readings: [{ temperature: number }];
}

/** The content of the first code block in this language. */
function block(language: string): string {
  const [, content] = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(document) ?? [];
  if (content === undefined) throw new Error(`the document has no ${language} block`);
  return content;
}

describe('docs/protocol.md', () => {
  test('shows the bytes of a real frame', () => {
    const hex = block('hex')
      .split('\n')
      .map((line) => (/^(?:[0-9A-F]{2} )+/.exec(line) ?? [''])[0].replaceAll(' ', ''))
      .join('');
    const frame = Buffer.from(hex, 'hex');
    expect(document).toContain(`That is ${frame.length} bytes.`);
    const missing = { temperature: null, humidity: null, pressure: null, battery: null };
    const timeMs = Date.UTC(2026, 4, 1, 10);
    const record = environment.toBuffer({
      device: null,
      readings: [
        { ...missing, time: timeMs, temperature: 21.5, pressure: 1013.25, ok: true },
        { ...missing, time: timeMs + 10_000, humidity: 40, battery: 3.7, ok: false },
      ],
    });
    expect(frame.subarray(10).toString('hex')).toBe(record.toString('hex'));
  });

  test.each(['environment', 'vehicle', 'power'])('gives the fingerprint of %s', (name) => {
    const fingerprint = fingerprintOf(readFileSync(`schemas/${name}.avsc`, 'utf8'));
    const header = Buffer.from(encodeSingleObjectHeader(fingerprint)).toString('hex').toUpperCase();
    const row = document.split('\n').find((line) => line.includes(`schemas/${name}.avsc\``)) ?? '';
    expect(row).toContain(`\`${fingerprint}\``);
    expect(row).toContain(`\`${(header.match(/../g) ?? []).join(' ')}\``);
  });

  test('describes the fingerprint so that one can compute it', () => {
    const polynomial = 0xc15d213aa4d7a795n;
    let crc = polynomial;
    for (const byte of Buffer.from('"int"')) {
      crc ^= BigInt(byte);
      for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ ((crc & 1n) === 1n ? polynomial : 0n);
    }
    expect(crc.toString(16)).toBe(fingerprintOf('"int"'));
    expect(document).toContain(`\`${crc.toString(16)}\``);
  });

  describe('the client in some 20 lines', () => {
    let gateway: KeepingGateway;
    beforeEach(async () => {
      gateway = await KeepingGateway.open();
    });
    afterEach(() => gateway.close());

    test('streams frames, and after a cut sends again exactly what was not durable', async () => {
      const code = block('js');
      expect(code.trimEnd().split('\n').length).toBeLessThanOrEqual(24);
      const program = code
        .replace('ws://127.0.0.1:8080', gateway.url)
        .replace('5000 * Math.random()', '50')
        .replace('}, 1000);', '}, 50);')
        .replace('21.5', '(globalThis.made = (globalThis.made ?? 0) + 1)');
      const device = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'ignore' });
      try {
        await until('frames', () => gateway.frames >= 5);
        gateway.stopAcking();
        await until('more frames', () => gateway.frames >= 10);
        gateway.cut();
        await until('frames after the cut', () => gateway.frames >= 20);
      } finally {
        device.kill();
        await once(device, 'exit');
      }
      const frames = [...(gateway.kept.get('greenhouse-1') ?? [])];
      const numbers = frames.map(
        (frame) => (environment.fromBuffer(frame.subarray(10)) as Numbered).readings[0].temperature,
      );
      expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    });
  });
});
