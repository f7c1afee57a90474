/**
 * Offenders that come and go at random beside 200 honest devices and an honest tail. At the end everything that was
 * acknowledged is read back, and a line is fitted through the server's own memory in the quiet moments.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CRITICAL, trend } from '../../bench/trend.mjs';
import { start, startOffender } from './harness/children.mjs';
import { prepare, stored } from './harness/prepare.mjs';
import { familyOf, startServer } from './harness/server.mjs';
import { ROWS } from './offenders/index.mjs';

const DEVICES = 200;
const FRAMES_PER_S = 200;
const AT_ONCE = 2;
const VISIT_MS = { min: 2_000, max: 12_000 };
/** Every so often all of them are away for a while, at whose end memory is looked at. */
const ROUND_MS = 45_000;
const QUIET_MS = 10_000;
/** The fit shows nothing from fewer looks. */
const MIN_LOOKS = 5;
const MB = 1024 ** 2;

const between = (min, max) => min + Math.random() * (max - min);

/** Memory of all processes that is no file's. */
function ownBytes(pid) {
  return familyOf(pid).reduce((sum, each) => {
    const status = readFileSync(`/proc/${each}/status`, 'utf8');
    return sum + Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
  }, 0);
}

/** Runs it and prints what was found; resolves with the exit code. */
export async function soak({ dir, processes, edge, minutes, slow }) {
  const server = await startServer({ dir, processes, edge });
  let fleet = null;
  let finished = null;
  const visits = {};
  const looks = [];
  try {
    await prepare(server, Math.max(...Object.values(ROWS).map(({ rows = 0 }) => rows)));
    fleet = await start(
      'fleet.mjs',
      { url: server.url, devices: DEVICES, framesPerS: FRAMES_PER_S },
      (message) => {
        finished = message.finished ?? finished;
      },
    );
    const beginMs = Date.now();
    const endMs = beginMs + minutes * 60_000;
    while (Date.now() < endMs && server.ended() === null) {
      const roundEndMs = Math.min(endMs, Date.now() + ROUND_MS);
      const visitors = Array.from({ length: AT_ONCE }, () => comeAndGo(server, roundEndMs, slow, visits));
      await Promise.all(visitors);
      await sleep(QUIET_MS);
      if (server.ended() !== null) break;
      looks.push({ atS: (Date.now() - beginMs) / 1_000, bytes: ownBytes(server.pid) });
      const { bytes } = looks.at(-1);
      process.stderr.write(
        `${Math.round((Date.now() - beginMs) / 1_000)} s: ${Math.round(bytes / MB)} MB of its own\n`,
      );
    }
    const broken = [];
    if (server.ended() !== null) broken.push(server.ended());
    else {
      fleet.child.send('finish');
      await fleet.ended;
      broken.push(...(await compare(server, finished)));
    }
    broken.push(...growth(looks));
    process.stdout.write(`visits: ${JSON.stringify(visits)}\n`);
    process.stdout.write(`tail: ${JSON.stringify(finished?.tail ?? null)}\n`);
    process.stdout.write(`memory at most: ${Math.round(server.peakBytes() / MB)} MB\n`);
    process.stdout.write(
      broken.length === 0 ? 'Nothing lost, nothing twice, no gap.\n' : `BROKEN: ${broken.join('; ')}\n`,
    );
    return broken.length === 0 ? 0 : 1;
  } finally {
    if (fleet !== null && fleet.child.exitCode === null) fleet.child.kill('SIGKILL');
    await server.stop();
  }
}

/** One offender after the other, each a random one for a random time. */
async function comeAndGo(server, endMs, slow, visits) {
  const names = Object.keys(ROWS);
  while (Date.now() < endMs && server.ended() === null) {
    const name = names[Math.floor(Math.random() * names.length)];
    const offender = await startOffender(ROWS[name], { port: server.port, slow });
    offender.go();
    visits[name] = (visits[name] ?? 0) + 1;
    await sleep(Math.min(between(VISIT_MS.min, VISIT_MS.max), Math.max(0, endMs - Date.now())));
    await offender.stop();
    await sleep(between(0, 2_000));
  }
}

/** What the devices were told, what the tail has seen and what the store has: every difference in words. */
async function compare(server, finished) {
  if (finished === null) return ['the honest devices ended'];
  const { acked, unsettled, tail } = finished;
  const broken = [];
  if (unsettled > 0) broken.push(`${unsettled} devices have frames without an ack`);
  const ledger = await stored(server);
  const { received, pending, ...others } = ledger;
  const sum = ['stored', 'duplicates', 'rejected', 'deadLettered', 'expired'].reduce(
    (all, name) => all + others[name],
    pending,
  );
  if (sum !== received) broken.push(`the ledger is off: ${JSON.stringify(ledger)}`);
  const { rows } = await server.json(
    '/v1/query?measurement=environment&fn=count&field=ok&group=device&from=-1d&limit=1000000',
  );
  const counted = new Map(rows.map(([, device, count]) => [device, count]));
  let lost = 0;
  let more = 0;
  for (const [device, count] of Object.entries(acked)) {
    const found = counted.get(device) ?? 0;
    lost += Math.max(0, count - found);
    more += Math.max(0, found - count);
  }
  if (lost > 0) broken.push(`${lost} acknowledged readings are not in the store`);
  if (more > 0) broken.push(`${more} readings more than were acknowledged are in the store`);
  for (const what of ['twice', 'missing', 'gaps']) {
    if (tail[what] > 0) broken.push(`tail: ${tail[what]} ${what}`);
  }
  return broken;
}

/** Says so where memory grows. The first look is still that of a server that warms up. */
function growth(looks) {
  const warm = looks.slice(1);
  if (warm.length < MIN_LOOKS) {
    process.stdout.write(`memory: ${warm.length} looks are too few for a line\n`);
    return [];
  }
  const { slope, error } = trend(
    warm.map(({ atS }) => atS),
    warm.map(({ bytes }) => bytes),
  );
  const seconds = warm.at(-1).atS - warm[0].atS;
  const [grown, within] = [slope, CRITICAL * error].map((perS) => (perS * seconds) / MB);
  process.stdout.write(
    `memory: ${grown.toFixed(1)} MB more by the fit, of which zero is within ± ${within.toFixed(1)} MB\n`,
  );
  return grown > within ? [`memory grew by ${grown.toFixed(1)} MB`] : [];
}
