import { Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { jsonLogger, prettyLogger } from '../../src/telemetry/index.ts';

/** What a program on a terminal, or one that reads lines, could take for more than text. */
const SAID = 'x\r\nINFO: all is well\u001b[2J\u0007\u007f\u009b1m\u2028\u2029';

describe.each([
  ['JSON lines', jsonLogger],
  ['readable lines', prettyLogger],
])('the log as %s', (_form, make) => {
  const written = (log: (logger: ReturnType<typeof make>) => void): string => {
    let text = '';
    const stream = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        text += chunk.toString();
        done();
      },
    });
    log(make('info', stream));
    // Colours of the readable form are its own.
    // oxlint-disable-next-line no-control-regex -- they begin with one
    return text.replaceAll(/\u001b\[\d+m/g, '');
  };

  test.each<[string, (logger: ReturnType<typeof make>) => void]>([
    ['a message', (logger) => logger.info(SAID)],
    ['a message with fields', (logger) => logger.info({ device: 'a' }, SAID)],
    ['a field', (logger) => logger.info({ reason: SAID }, 'a frame was refused')],
    ['an error', (logger) => logger.error({ err: new Error(SAID) }, 'failed')],
    ['an error alone', (logger) => logger.error(new Error(SAID))],
  ])('shows control characters in %s escaped', (_place, log) => {
    const text = written(log);
    expect(text).toContain('INFO: all is well');
    expect(text).not.toMatch(/^INFO/m);
    // oxlint-disable-next-line no-control-regex -- these are what must not be there
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/);
  });

  test.each<[string, unknown]>([
    ['a text', 'what happened'],
    ['an object', { said: 'what happened' }],
    ['an error without a stack', Object.assign(new Error('what happened'), { stack: undefined })],
    ['an error whose message is no text', Object.assign(new Error('x'), { message: ['what happened'] })],
    ['null', null],
    ['nothing', undefined],
  ])('tells of what was thrown, though it is %s', (_what, thrown) => {
    const text = written((logger) => {
      logger.error({ err: thrown }, 'failed');
      logger.error(thrown, 'failed, too');
    });
    expect(text).toContain('failed');
    expect(text).toMatch(/failed, too|what happened/);
    if (thrown !== null && thrown !== undefined) expect(text).toContain('what happened');
  });

  test('has no field whose name says that it is a secret', () => {
    const text = written((logger) =>
      logger.info(
        { token: 'secret-1', request: { token: 'secret-2', headers: { authorization: 'secret-3' } } },
        'x',
      ),
    );
    expect(text).toContain('x');
    expect(text).not.toContain('secret-');
  });
});
