/**
 * A process with nothing but the way in for transports that number nothing, over a journal: what an HTTP server hands
 * on. Its argument is the data folder. Each line on stdin is a request, {device, frames} with frames in base64; each on
 * stdout the answer to one, in their order: {accepted, duplicates, rejected, ledger}. It ends with stdin.
 */
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pino } from 'pino';

const program = pathToFileURL(`${process.env.FAULT_PROGRAM}/`);
const { systemClock } = await import(new URL('core/index.js', program).href);
const { openLocalJournal } = await import(new URL('journal/index.js', program).href);
const { loadSchemaFolder, openRegistry } = await import(new URL('registry/index.js', program).href);
const { IngestAdmission, DeviceLog, Intake } = await import(new URL('ingest/index.js', program).href);

const dataDir = process.argv[2] ?? '';
const registry = await openRegistry({ dir: join(dataDir, 'registry') });
await loadSchemaFolder(registry, 'schemas');
const journal = await openLocalJournal({ dir: join(dataDir, 'journal') });
const intake = new Intake({
  journal,
  registry,
  clock: systemClock,
  admission: new IngestAdmission({ journal, clock: systemClock, guard: { earliestMs: 0 } }),
  limits: { maxFrameBytes: 65_536 },
  log: new DeviceLog(pino({ level: 'silent' })),
  onFrame: () => undefined,
  onError: (error) => process.stderr.write(`${String(error)}\n`),
});

async function tell(taken, before) {
  const [answer] = await Promise.all([taken, before]);
  process.stdout.write(`${JSON.stringify({ ...answer, ledger: journal.ledger() })}\n`);
}

let last = Promise.resolve();
for await (const line of createInterface({ input: process.stdin })) {
  const { device, frames } = JSON.parse(line);
  const taken = intake.take(
    device,
    'http',
    frames.map((frame) => Buffer.from(frame, 'base64')),
  );
  last = tell(taken, last);
}
await last;
await journal.close();
await registry.close();
