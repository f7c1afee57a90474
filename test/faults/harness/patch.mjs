/**
 * Loaded by `node --import` into a server under test, which itself holds no hooks for tests. It replaces
 * texts in the program's own modules while they are loaded, lets the process die at a point among them, and
 * moves the clock. A text that is not there exactly once ends the process before it begins.
 *
 * FAULT_PROGRAM  its folder dist/src; found from the main file where missing
 * FAULT_PATCHES  JSON: [{in, find, replace}], `in` a file or folder below dist/src
 * FAULT_CONTROL  a JSON file, read again and again, and written to FILE.seen when it is: {clockMs, steadyMs, kill}. Date.now() is off by `clockMs`, and
 *                performance.now() by `steadyMs`; at the n-th pass of faultKill(NAME) the process dies when `kill` is {point: NAME, pass: n}: with alone: true it alone, of the server's processes.
 */
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { register } from 'node:module';
import { dirname, join } from 'node:path';

const POLL_MS = 10;
const { FAULT_PATCHES = '[]', FAULT_CONTROL = '' } = process.env;
// main.js lies in dist/src/cli
const program = process.env.FAULT_PROGRAM ?? join(dirname(process.argv[1] ?? ''), '..');

function filesIn(path) {
  if (path.endsWith('.js')) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(path, name));
}

/** The one file that holds the text once. */
function fileOf({ in: place, find }) {
  const found = filesIn(join(program, place)).flatMap((file) =>
    Array.from({ length: readFileSync(file, 'utf8').split(find).length - 1 }, () => file),
  );
  if (found.length === 1) return found[0];
  process.stderr.write(`fault patch: ${found.length} times instead of once in ${place}: ${find}\n`);
  return process.exit(70);
}

const patches = JSON.parse(FAULT_PATCHES).map((patch) => ({ ...patch, file: fileOf(patch) }));
if (patches.length > 0) register('./load-patched.mjs', import.meta.url, { data: { patches } });

let control = JSON.parse(readFileSync(FAULT_CONTROL, 'utf8'));
let changedMs = statSync(FAULT_CONTROL).mtimeMs;
let passesLeft = control.kill?.pass ?? 0;
const now = Date.now;
Date.now = () => now() + control.clockMs;
const steady = performance.now.bind(performance);
performance.now = () => steady() + control.steadyMs;
setInterval(() => {
  const { mtimeMs } = statSync(FAULT_CONTROL);
  if (mtimeMs === changedMs) return;
  changedMs = mtimeMs;
  const text = readFileSync(FAULT_CONTROL, 'utf8');
  control = JSON.parse(text);
  passesLeft = control.kill?.pass ?? 0;
  writeFileSync(`${FAULT_CONTROL}.seen`, text);
}, POLL_MS).unref();

function isLastPass(point) {
  if (control.kill?.point !== point) return false;
  passesLeft -= 1;
  return passesLeft === 0;
}
/** The server's processes die together, as in a power cut, or this one alone. */
function cutPower() {
  if (process.connected && control.kill?.alone !== true) process.kill(process.ppid, 'SIGKILL');
  process.kill(process.pid, 'SIGKILL');
}
/** Ends the server. */
globalThis.faultKill = (point) => {
  if (isLastPass(point)) cutPower();
};
/** The same a moment later, while what is called next is under way. */
globalThis.faultKillSoon = (point) => {
  if (isLastPass(point)) setImmediate(cutPower);
};
