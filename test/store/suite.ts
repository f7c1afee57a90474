import { aggregatePageTests } from './suite-aggregate-pages.ts';
import { aggregateTests } from './suite-aggregates.ts';
import { lookupTests } from './suite-lookups.ts';
import { rawRowTests } from './suite-rows.ts';
import { sumTests } from './suite-sums.ts';
import { textTests } from './suite-texts.ts';
import { valueTests } from './suite-values.ts';
import { writeTests } from './suite-writes.ts';
import { Subject, type OpenedStore } from './subject.ts';

/** What every store must do alike. `open` gives an empty one; it is opened once for the suite. */
export function storeTests(open: () => Promise<OpenedStore>): void {
  const subject = new Subject(open);
  rawRowTests(subject);
  writeTests(subject);
  valueTests(subject);
  textTests(subject);
  aggregateTests(subject);
  aggregatePageTests(subject);
  sumTests(subject);
  lookupTests(subject);
}
