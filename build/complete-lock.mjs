/**
 * Adds to package-lock.json the optional packages of other platforms that npm left out because it could not
 * look them up where the lock file was written. Without their entries `npm ci` refuses the file. It also leaves out
 * what uws-pack says of Node: it names 22 as its least, carries binaries for 20 as well, and npm would warn of it there.
 * Run it after every change of dependencies: node build/complete-lock.mjs
 */
import { readFile, writeFile } from 'node:fs/promises';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(await readFile(file, 'utf8'));
const OS = [
  'linux',
  'darwin',
  'win32',
  'android',
  'freebsd',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'aix',
  'wasi',
];
const CPU = [
  'x64',
  'arm64',
  'arm',
  'ia32',
  'ppc64',
  's390x',
  'riscv64',
  'loong64',
  'mips64el',
  'mips64',
  'wasm32',
];

for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isThere(path, name)) continue;
    const words = name.split(/[-/@_]/);
    const os = OS.filter((word) => words.includes(word) || (word === 'win32' && words.includes('windows')));
    const cpu = CPU.filter((word) => words.includes(word));
    lock.packages[`node_modules/${name}`] = {
      version: range.replace(/^[\^~]/, ''),
      ...(cpu.length > 0 ? { cpu } : {}),
      ...(name.includes('musl') ? { libc: ['musl'] } : {}),
      ...(entry.dev === true ? { dev: true } : {}),
      optional: true,
      ...(os.length > 0 ? { os } : {}),
    };
    process.stdout.write(`added ${name} ${range}: os ${os.join() || 'any'}, cpu ${cpu.join() || 'any'}\n`);
  }
}

delete lock.packages['node_modules/uWebSockets.js'].engines;

const sorted = Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1));
await writeFile(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);

function isThere(path, name) {
  return `${path}/node_modules/${name}` in lock.packages || `node_modules/${name}` in lock.packages;
}
