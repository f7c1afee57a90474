import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { compileSchema } from '../../src/codec/index.ts';
import { keptHeaders } from '../fixtures/writers.ts';

const compiled = (file: string) => compileSchema(readFileSync(file, 'utf8'));
const ENVIRONMENT = compiled('schemas/environment.avsc');
const KINDS = compiled('test/vectors/writers/kinds.avsc');

/** As the bytes of a header, which are the number's from the last. */
const sent = (fingerprint: string): string => Buffer.from(fingerprint, 'hex').reverse().toString('hex');

describe('the fingerprints that libraries compute', () => {
  test.each(keptHeaders())('$library writes what is known of $schema', ({ schema, library, fingerprint }) => {
    const { fingerprint: specified, aliases } = schema === 'environment' ? ENVIRONMENT : KINDS;
    const known = aliases.find(({ libraries }) => libraries.some((each) => each.startsWith(library)));
    expect(sent(known?.fingerprint ?? specified)).toBe(fingerprint);
  });

  test("of environment.avsc are three: the specification's, one without and one with the logical type", () => {
    expect(sent(ENVIRONMENT.fingerprint)).toBe('0436810dea219ad7');
    expect(ENVIRONMENT.aliases.map(({ fingerprint, libraries }) => [sent(fingerprint), libraries])).toEqual([
      ['d28f50541a29d726', ['Python avro 1.12.2', 'Go goavro 2.15.0', 'Rust apache-avro 0.22.0']],
      ['e227cf8257ba5938', ['Go hamba/avro 2.31.0']],
    ]);
  });

  test('are all the same where no type says more than its name', () => {
    const fields = [
      { name: 'x', type: 'int', doc: 'Beside the type, where it is of the field.' },
      { name: 'y', type: { type: 'double' } },
    ];
    expect(compileSchema(JSON.stringify({ type: 'record', name: 'R', fields })).aliases).toEqual([]);
  });
});
